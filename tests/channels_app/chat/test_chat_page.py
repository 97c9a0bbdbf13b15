"""The chat page as the server draws it."""

import re
import time
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.test import Client

from channels_app.chat_links import chat_url
from channels_app.chat_window import Bubble
from channels_app.models import ChatMessage
from channels_app.signals import contact_seen
from channels_app.views import chat
from tests.support.channels import NOON, make_channel, make_tenant, say


def body(response) -> str:
    text: str = response.content.decode()
    return text


def shown(response) -> list[int]:
    return [int(pk) for pk in re.findall(r'data-id="(\d+)"', body(response))]


def cursor(response) -> str:
    (found,) = re.findall(r'hx-get="(new\?[^"]+)"', body(response))
    return unescape(found)


# --- what one sees --------------------------------------------------------------------------------


def test_the_window_shows_a_persons_messages_oldest_first(channel, visit):
    first, second = say(channel, "one"), say(channel, "two")
    say(channel, "for Bo", contact="bo")
    response = visit()
    assert shown(response) == [first.pk, second.pk]
    assert "for Bo" not in body(response)
    assert "<h1" in body(response)
    assert "Acme Utilities" in body(response)


def test_an_empty_window_says_so(channel, visit):
    assert "Nothing here yet." in body(visit())


def test_times_are_the_tenants_until_the_browser_knows_better(channel, visit):
    say(channel, sent_at=NOON)
    assert '<time datetime="2026-11-21T13:00:00+01:00">21 Nov 2026, 13:00 CET</time>' in body(
        visit()
    )


def test_line_breaks_and_addresses_in_a_text_are_kept(channel, visit):
    say(channel, "One\nTwo: https://acme.example/a?b=1&c=2.")
    page = body(visit())
    assert "One\nTwo: " in page
    assert (
        '<a href="https://acme.example/a?b=1&amp;c=2" target="_blank" '
        'rel="noopener noreferrer nofollow">https://acme.example/a?b=1&amp;c=2</a>.' in page
    )


def test_a_picture_is_fetched_without_telling_from_where(channel, visit):
    say(channel, payload={"type": "IMAGE", "url": "https://acme.example/a.png", "text": "The map"})
    (tag,) = re.findall(r"<img [^>]+>", body(visit()))
    assert 'referrerpolicy="no-referrer"' in tag
    assert 'loading="lazy"' in tag
    assert 'alt="The map"' in tag


def test_a_cards_actions_open_beside_the_window(channel, visit):
    actions = [{"title": "Pay", "url": "https://acme.example/pay"}]
    say(channel, payload={"type": "CARD", "title": "Bill", "text": "Due", "actions": actions})
    page = body(visit())
    assert ">Bill</h2>" in page
    assert (
        '<a class="btn btn-small" href="https://acme.example/pay" target="_blank" '
        'rel="noopener noreferrer nofollow" dir="auto">Pay</a>' in page
    )


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "https://a b.example", '"><script>', ""]
)
@pytest.mark.parametrize("kind", ["IMAGE", "CARD", "action"])
def test_a_url_that_is_not_of_the_web_is_never_a_link(channel, visit, url, kind):
    payload = {
        "IMAGE": {"type": "IMAGE", "url": url},
        "CARD": {"type": "CARD", "title": "t", "image": url},
        "action": {"type": "CARD", "title": "t", "actions": [{"title": "x", "url": url}]},
    }[kind]
    say(channel, payload=payload)
    page = body(visit())
    assert "<img" not in page
    assert not re.search(r'href="(javascript|data|https://a|&quot;|")', page)
    assert "<script>" not in page


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '"><svg onload=alert(1)>',
        "{{ settings.SECRET_KEY }}{% debug %}",
        "https://a.example/'onmouseover='alert(1)",
        "x" * 40_000,
        "\u202egnirts desrever",
        "Z\u0351\u0352\u0357" * 500,
    ],
)
def test_hostile_text_is_only_text(channel, visit, text):
    say(channel, payload={"type": "CARD", "title": text[:300], "text": text})
    response = visit()
    assert response.status_code == 200
    page = body(response)
    for tag in ("<script>", "<img", "<svg", " onmouseover="):
        assert tag not in page


def test_half_of_a_character_does_not_break_the_window():
    message = ChatMessage(pk=1, payload={"type": "CARD", "title": "a\ud800", "text": "b\udfff\0"})
    bubble = Bubble.of(message)
    assert (bubble.title, bubble.text[0].text) == ("a\ufffd", "b\ufffd")


def test_the_page_needs_no_cookie_and_tells_nobody_its_address(channel, visit):
    response = visit()
    assert not response.cookies
    assert response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response["Cache-Control"]
    assert response["X-Robots-Tag"] == "noindex, nofollow"
    policy = response["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


# --- many messages --------------------------------------------------------------------------------


def fill(channel, count, *, unread=0):
    rows = [say(channel, f"message {number}") for number in range(count)]
    ids = [row.pk for row in rows]
    ChatMessage.objects.filter(pk__in=ids[: count - unread]).update(read_at=NOON)
    return ids


def test_a_long_window_opens_at_its_end_and_leads_back_page_by_page(channel, visit):
    ids = fill(channel, 120)
    last = visit()
    assert shown(last) == ids[70:]
    assert f"earlier?before={ids[70]}" in body(last)
    middle = visit(f"earlier?before={ids[70]}")
    assert shown(middle) == ids[20:70]
    first = visit(f"earlier?before={ids[20]}")
    assert shown(first) == ids[:20]
    assert "Earlier messages" not in body(first)


def test_without_script_the_same_pages_are_reached_by_plain_links(channel, visit):
    ids = fill(channel, 60)
    assert f'href="?before={ids[10]}"' in body(visit())
    page = visit(f"?before={ids[10]}")
    assert shown(page) == ids[:10]
    assert "Back to the newest" in body(page)
    assert 'id="poll"' not in body(page)


def test_unread_messages_are_marked_counted_and_parted_from_the_rest(channel, visit):
    ids = fill(channel, 5, unread=2)
    page = body(visit())
    assert "<title>(2) Acme Utilities</title>" in page
    assert page.count('class="chat-new">New') == 2
    assert re.search(rf'id="chat-divider".*?data-id="{ids[3]}" data-unread', page, re.DOTALL)


def test_unread_messages_above_the_page_are_counted_on_the_link_to_them(channel, visit):
    fill(channel, 53, unread=53)
    page = body(visit())
    assert "Earlier messages (3 unread)" in page
    assert "<title>(53) Acme Utilities</title>" in page


def test_ten_thousand_messages_cost_no_more_than_ten(channel, visit, django_assert_max_num_queries):
    message = say(channel)
    row = message.delivery
    assert row is not None
    deliveries = []
    for number in range(10_000):
        copy = type(row)(**{f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields})
        copy.pk, copy.recipient_id = None, 1_000_000 + number
        deliveries.append(copy)
    type(row).objects.bulk_create(deliveries, batch_size=1000)
    ChatMessage.objects.bulk_create(
        [
            ChatMessage(channel=channel, contact="ana", delivery=d, payload=message.payload)
            for d in deliveries
        ],
        batch_size=1000,
    )
    with django_assert_max_num_queries(5):
        page = visit()
    assert len(shown(page)) == 50
    assert "(99+) Acme Utilities" in body(page)
    assert "(99+ unread)" in body(page)


@pytest.mark.parametrize("before", ["", "x", "-1", "9" * 30, "1e3", "\u0661"])
def test_a_page_that_makes_no_sense_is_the_newest_or_refused(channel, visit, before):
    say(channel)
    assert visit(f"?before={before}").status_code == 200
    assert visit(f"earlier?before={before}").status_code in {200, 400}


# --- what is new ----------------------------------------------------------------------------------


def test_a_window_is_told_only_what_it_has_not_drawn(channel, visit):
    say(channel, "old")
    page = visit()
    assert visit(cursor(page)).status_code == 204
    fresh = say(channel, "fresh")
    say(channel, "for Bo", contact="bo")
    answer = visit(cursor(page))
    assert shown(answer) == [fresh.pk]
    assert "data-unread" in body(answer)
    assert visit(cursor(answer)).status_code == 204


def test_a_look_costs_two_queries_when_there_is_nothing_new(
    channel, visit, django_assert_num_queries
):
    say(channel)
    rest = cursor(visit())
    with django_assert_num_queries(2):  # the channel, its messages
        assert visit(rest).status_code == 204


def test_a_message_that_is_committed_late_under_a_lower_number_still_appears(channel, visit):
    slow = say(channel, "from the slower worker")
    kept = ChatMessage.objects.get(pk=slow.pk)
    slow.delete()  # as if its transaction were not committed yet
    say(channel, "from the faster worker")
    page = visit()
    kept.save(force_insert=True)
    answer = visit(cursor(page))
    assert shown(answer) == [kept.pk]
    assert visit(cursor(answer)).status_code == 204


def test_what_is_long_settled_is_not_remembered_one_by_one(channel, visit):
    old = [say(channel, sent_at=NOON) for _ in range(5)]
    recent = say(channel, sent_at=datetime.now(UTC))
    assert cursor(visit()) == f"new?after={old[-1].pk}&also={recent.pk}"


def test_what_stands_above_a_page_of_the_last_seconds_is_not_new(channel, visit):
    now = datetime.now(UTC)
    ids = [say(channel, f"message {number}", sent_at=now).pk for number in range(60)]
    page = visit()
    assert shown(page) == ids[10:]
    assert visit(cursor(page)).status_code == 204
    fresh = say(channel, "fresh")
    assert shown(visit(cursor(page))) == [fresh.pk]


def test_a_burst_comes_in_portions_and_whole(channel, visit):
    page = visit()
    ids = fill(channel, 250, unread=250)
    found = []
    rest = cursor(page)
    while (answer := visit(rest)).status_code == 200:
        found += shown(answer)
        rest = cursor(answer)
        assert len(rest) < 2000
    assert found == ids


@pytest.mark.parametrize(
    "query", ["", "after=x", "after=-1", f"after={'9' * 40}", "after=1&also=x"]
)
def test_a_look_that_makes_no_sense_is_refused(channel, visit, query):
    assert visit(f"new?{query}").status_code == 400


# --- read -----------------------------------------------------------------------------------------


def test_shown_messages_are_marked_read_once(channel, visit, time_machine):
    first, second = say(channel), say(channel)
    time_machine.move_to(NOON, tick=False)
    assert visit("read", method="post", data={"ids": f"{first.pk}"}).status_code == 204
    time_machine.move_to(NOON + timedelta(hours=1), tick=False)
    visit("read", method="post", data={"ids": f"{first.pk}"})
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.read_at == NOON
    assert second.read_at is None


def test_nobody_marks_the_messages_of_another_window(channel, visit):
    theirs = say(channel, contact="bo")
    elsewhere = say(make_channel(make_tenant("Other")), contact="ana")
    visit("read", method="post", data={"ids": f"{theirs.pk},{elsewhere.pk}"})
    assert ChatMessage.objects.filter(read_at=None).count() == 2


def test_another_site_marks_nothing(channel, visit):
    message = say(channel)
    answer = visit(
        "read",
        method="post",
        data={"ids": f"{message.pk}"},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 403
    message.refresh_from_db()
    assert message.read_at is None


def test_reading_works_with_csrf_checks_on(channel, settings):
    message = say(channel)
    path = chat_url(channel, "ana").removeprefix(settings.BASE_URL)
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(f"{path}read", {"ids": message.pk}).status_code == 204


@pytest.mark.parametrize("ids", ["x", "1,,2", "-1", "1;2", ",".join(["1"] * 5000)])
def test_ids_that_make_no_sense_are_refused(channel, visit, ids):
    assert visit("read", method="post", data={"ids": ids}).status_code == 400


def test_reading_nothing_changes_nothing(channel, visit):
    say(channel)
    assert visit("read", method="post").status_code == 204
    assert ChatMessage.objects.filter(read_at=None).exists()


@pytest.mark.parametrize(
    ("rest", "method"), [("", "post"), ("new?after=0", "post"), ("read", "get"), ("", "delete")]
)
def test_other_methods_are_refused(channel, visit, rest, method):
    assert visit(rest, method=method).status_code == 405


# --- who is told ----------------------------------------------------------------------------------


@pytest.fixture
def seen():
    heard: list[tuple[object, str]] = []

    def listen(channel, address, **_):
        heard.append((channel, address))

    contact_seen.connect(listen)
    yield heard
    contact_seen.disconnect(listen)


def test_opening_the_window_tells_that_the_contact_is_here(channel, visit, seen):
    visit()
    assert seen == [(channel, "ana")]


def test_it_tells_once_in_a_while_for_each_contact(channel, visit, seen, monkeypatch):
    assert chat.SEEN_EVERY == 5 * 60
    monkeypatch.setattr(chat, "SEEN_EVERY", 3)  # Redis keeps its own clock, which nobody moves
    visit()
    visit()
    visit(contact="bo")
    assert [address for _, address in seen] == ["ana", "bo"]
    time.sleep(3.2)
    visit()
    assert [address for _, address in seen] == ["ana", "bo", "ana"]


def test_looking_for_news_tells_nobody_but_reading_does(channel, visit, seen):
    message = say(channel)
    visit("new?after=0")
    assert seen == []
    visit("read", method="post", data={"ids": f"{message.pk}"})
    assert seen == [(channel, "ana")]


def test_a_listener_that_fails_does_not_close_the_window(channel, visit):
    def fail(**_):
        raise RuntimeError("upstairs")

    contact_seen.connect(fail)
    try:
        assert visit().status_code == 200
    finally:
        contact_seen.disconnect(fail)


def test_the_window_opens_while_the_channel_rests(channel, visit):
    say(channel, "kept")
    channel.is_active = False
    channel.save()
    assert "kept" in body(visit())
