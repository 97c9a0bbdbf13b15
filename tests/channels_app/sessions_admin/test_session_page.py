"""A session's page: its facts, its life as a drawing and in words, one time line of everything."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from channels_app.models import Attempt, Delivery, InboundEvent, Message, Session, State
from channels_app.operations import replay_delivery
from channels_app.sessions import services
from channels_app.sessions.services import Said
from project.access.audit import Actor

from .conftest import LIST, page_of


def html(client: Client, session: Session, query: str = "") -> str:
    response = client.get(page_of(session) + query)
    assert response.status_code == 200
    page: str = response.content.decode()
    return page


def text(client: Client, session: Session, query: str = "") -> str:
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html(client, session, query)))
    return unescape(plain).replace("\N{NO-BREAK SPACE}", " ")


def in_order(said: str, *words: str) -> None:
    """Each stands after the one before it."""
    place = 0
    for word in words:
        found = said.find(word, place)
        assert found >= 0, f"{word!r} does not follow in: {said[place:]}"
        place = found + len(word)


@pytest.fixture
def talk(clock, begin, mara, ines, outages) -> Session:
    """Ana waits 40 s, talks to Mara, is handed on to Outages, talks to Ines, who ends it."""
    session = begin(integration="SMS", attributes={"plan": "gold", "bills": [1, 2]})
    clock.shift(40)
    session = services.join(session, agent=mara)
    clock.shift(10)
    services.accept_message(session, Said(text="is it back yet?"))
    clock.shift(20)
    services.say(session, Said(text="Yes, since 20:40."), agent=mara)
    clock.shift(50)
    services.transfer(session, agent=mara, to_work_type=outages)
    clock.shift(30)
    session = services.join(session, agent=ines)
    clock.shift(150)
    session = services.end_by_agent(session, agent=ines)
    clock.shift(60)
    return session


def test_the_page_says_who_when_how_and_from_where(talk, auditor):
    said = text(auditor, talk)
    assert f"Session {talk.pk} with Ana Ruiz ended" in said
    assert "About Outages over Callbacks. Ended by Ines 12:05:00. It lasted 5 minutes." in said
    for fact in (
        f"Session ID {talk.public_id}",
        "Contact Ana Ruiz",
        "Channel Callbacks (Alvaria callbacks)",
        "Work type Outages (33) asked for: 32",
        "Answered by Mara, Ines",
        "Opened by Shop server",
        "Integration SMS",
        "plan gold",
        "bills [1, 2]",
        "Opened Mon 23 Nov 2026, 12:00:00",
        "Limit Mon 23 Nov 2026, 16:00:00",
        "Ended Mon 23 Nov 2026, 12:05:00 by an agent",
        "Times in Europe/Madrid",
    ):
        assert fact in said


def test_its_life_stands_in_words(talk, auditor):
    said = text(auditor, talk)
    in_order(
        said,
        "5 minutes, over",
        "Lasted 5 minutes. 1 message from the contact, 1 to them.",
        "The dashed part is not to scale.",
        "12:00:00 Opened",
        "12:00:00 Came up",
        "12:00:40 Mara joined",
        "12:02:00 Mara transferred it to work type Outages",
        "12:02:30 Ines joined",
        "12:05:00 Ended by Ines",
    )


def test_its_life_is_drawn_in_proportion(talk, auditor):
    page = html(auditor, talk)
    # Five minutes of four hours: they get 75 % of the width.
    stretches = re.findall(r'<line class="sess-(\w+)" x1="([\d.]+)%" y1="50" x2="([\d.]+)%"', page)
    assert [(kind, float(a), float(b)) for kind, a, b in stretches if kind != "rest"] == [
        ("waiting", 0, 10),
        ("answered", 10, 30),
        ("waiting", 30, 37.5),
        ("answered", 37.5, 75),
    ]
    assert re.search(r'class="sess-rest" x1="75.00%"', page)
    assert re.search(r'class="sess-theirs" x1="12.40%"', page)
    assert re.search(r'class="sess-ours" x1="17.60%"', page)
    assert "limit 16:00:00" in page


def test_an_open_session_says_when_it_ends_by_itself(clock, begin, mara, auditor):
    session = services.join(begin(), agent=mara)
    clock.shift(3600 * 3.5)
    page, said = html(auditor, session), text(auditor, session)
    assert "3 h 30 min so far" in said
    assert "It ends by itself at 16:00:00." in said
    assert 'class="sess-rest" x1="87.50%"' in page  # enough has passed to draw it to scale
    assert "not to scale" not in said


def test_a_session_that_never_came_up_says_why(clock, begin, auditor):
    session = begin(work_type="99")
    said = text(auditor, session)
    assert "Never came up 12:00:00: Work type does not exist." in said
    assert "Did not come up: Work type does not exist" in said
    assert "Work type none asked for: 99" in said
    assert "Nobody said anything." in said


def test_all_that_happened_stands_on_one_time_line(clock, begin, mara, auditor):
    session = services.join(begin(), agent=mara)
    clock.shift(5)
    services.say(session, Said(text="Hello Ana"), agent=mara)
    told = Delivery.objects.get(session_event__message__text="Hello Ana")
    Attempt.objects.create(
        delivery=told,
        number=1,
        started_at=timezone.now() + timedelta(milliseconds=113),
        duration=0.212,
        outcome="unavailable",
        status=503,
        error="The receiver answered 503; only 200 is success.",
        answer="maintenance window",
    )
    InboundEvent.objects.create(
        channel=session.channel,
        event_id="E-17",
        kind="MOOD",
        body={},
        received_at=timezone.now() + timedelta(seconds=1),
        state="unknown",
        reason="No such event is known.",
        session=session,
    )
    clock.shift(2)
    services.accept_message(session, Said(text="hi"))
    said = text(auditor, session)
    in_order(
        said[said.index("All that happened") :],
        "Mon 23 Nov 2026",
        "12:00:00.000 Came up",
        "queued",
        "12:00:00.000 Mara joined",
        "12:00:05.000 Mara Hello Ana Callback",
        f"delivery {told.pk} queued",
        "12:00:05.113 Message to the contact, try 1 unavailable · 503 took 212 ms",
        "The receiver answered 503; only 200 is success.",
        "maintenance window",
        "12:00:06.000 MOOD came in not understood · E-17 No such event is known.",
        "12:00:07.000 Ana Ruiz hi",
    )
    assert f'href="/admin/channels_app/delivery/{told.pk}/change/"' in html(auditor, session)


def test_a_callback_that_was_sent_once_more_is_on_it_as_well(clock, begin, auditor):
    session = begin()
    Delivery.objects.update(state=State.EXPIRED, settled_at=timezone.now())
    clock.shift(60)
    first = Delivery.objects.get()
    replay, _ = replay_delivery(first, by=Actor.hub("test"))
    Attempt.objects.create(
        delivery=replay, number=1, started_at=timezone.now(), outcome="accepted", status=200
    )
    in_order(
        text(auditor, session),
        "12:00:00.000 Came up",
        "expired",
        f"12:01:00.000 Session came up: sent once more, as a replay of delivery {first.pk}",
        f"Delivery delivery {replay.pk} queued",
        "Session came up, try 1 accepted · 200",
    )


def test_the_conversation_alone_can_be_read(talk, auditor):
    said = text(auditor, talk, "?show=talk")
    line = said[said.index("The conversation") : said.index("Facts")]
    in_order(line, "Ana Ruiz is it back yet?", "Mara Yes, since 20:40.")
    assert "joined" not in line


def test_a_message_that_was_not_processed_says_why(clock, begin, auditor):
    session = begin()
    url = "http://192.168.0.9/x.pdf"
    services.accept_message(session, Said(attachment_type="File", attachment_url=url))
    said = text(auditor, session)
    assert f"File: {url}" in said
    assert f'href="{url}"' not in html(auditor, session)  # it may point inside the reader's house
    assert "Not processed: Attachment refused: its URL points inside a private network." in said


def test_an_attachment_opens_nothing_before_it_was_judged(callbacks, billing, system, auditor):
    session = services.open_session(callbacks, client=system, work_type="32", contact_name="Eve")
    url = "http://10.0.0.1/x.png"
    services.accept_message(session, Said(attachment_type="Image", attachment_url=url))
    page = html(auditor, session)
    assert "Kept until the session has come up" in page
    assert url in page
    assert f'href="{url}"' not in page
    assert "<img" not in page


def test_what_came_from_outside_is_shown_as_it_came(clock, begin, auditor):
    evil = "<script>alert(1)</script>"
    session = begin(f"{evil} Ana", integration=evil, attributes={evil: evil})
    services.accept_message(
        session,
        Said(
            text=f"{evil} javascript:alert(2) https://ok.example/a?b=1&c=2",
            attachment_type="Image",
            attachment_url="https://pics.example/a.png",
            attachment_name='"><img src=x onerror=alert(3)>',
        ),
    )
    Message.objects.create(
        session=session,
        author="contact",
        author_name=evil,
        attachment_type="File",
        attachment_url="javascript:alert(4)",
    )
    delivery = Delivery.objects.first()
    assert delivery is not None
    Attempt.objects.create(
        delivery=delivery,
        number=1,
        started_at=timezone.now(),
        outcome="unavailable",
        error=evil,
        answer=evil * 20,
    )
    page = html(auditor, session)
    assert evil not in page
    assert "<img src=x" not in page
    assert 'href="javascript:' not in page
    assert 'href="https://ok.example/a?b=1&amp;c=2" rel="noopener noreferrer nofollow"' in page
    # A picture is fetched only once it is unfolded, and its server hears nothing of this page.
    assert re.search(r"<details><summary>Show the picture[^<]*</summary><img [^>]*lazy", page)
    assert 'referrerpolicy="no-referrer"' in page
    assert not re.search(r"<[^>]+\s(style|on\w+)=", page)


@pytest.fixture
def long_talk(clock, begin, mara) -> Session:
    """A thousand messages, a second apart."""
    session = services.join(begin(), agent=mara)
    clock.shift(3600)
    start = timezone.now() - timedelta(minutes=30)
    Message.objects.bulk_create(
        Message(
            session=session,
            author="contact",
            author_name="Ana Ruiz",
            text=f"line-{number}-",
            at=start + timedelta(seconds=number),
        )
        for number in range(1000)
    )
    return session


def earlier(page: str) -> str | None:
    found = re.search(r'href="(\?[^"]*before=[^"]*)"[^>]*>\W*Earlier', page)
    return unescape(found[1]) if found else None


def test_a_long_session_is_read_in_pages_newest_first(long_talk, auditor):
    page, seen, pages = html(auditor, long_talk), list[int](), 1
    first = re.findall(r"line-(\d+)-", page)
    assert [int(number) for number in first] == list(range(800, 1000))
    assert "1,000 messages from the contact" in page
    seen += map(int, first)
    while query := earlier(page):
        page, pages = html(auditor, long_talk, query), pages + 1
        found = [int(number) for number in re.findall(r"line-(\d+)-", page)]
        assert found == sorted(found)
        seen += found
    assert sorted(seen) == list(range(1000))
    assert pages == 6  # 1000 messages, two callbacks and an offer or so
    assert "Mara joined" in page
    assert "Newest" in page


def test_entries_of_one_moment_are_neither_lost_nor_shown_twice(clock, begin, auditor):
    session = begin()
    Message.objects.bulk_create(
        Message(session=session, author="contact", author_name="Ana", text=f"line-{number}-")
        for number in range(450)
    )
    page, seen = html(auditor, session), list[str]()
    seen += re.findall(r"line-(\d+)-", page)
    while query := earlier(page):
        page = html(auditor, session, query)
        seen += re.findall(r"line-(\d+)-", page)
    assert sorted(map(int, seen)) == list(range(450))


def test_the_page_costs_the_same_few_queries_however_long_it_is(
    long_talk, auditor, django_assert_max_num_queries
):
    with django_assert_max_num_queries(18):
        auditor.get(page_of(long_talk))


@pytest.mark.parametrize("before", ["abc", "1.2", "1.9.1", "-1.1.1", "9" * 400, "1.1.1;drop"])
def test_a_damaged_page_link_leads_to_the_newest_page(talk, auditor, before):
    said = text(auditor, talk, f"?before={before}")
    assert "link is damaged" in said
    assert "Ended by Ines" in said


def test_a_place_beyond_all_time_is_only_an_end(talk, auditor):
    assert "Ended by Ines" in text(auditor, talk, "?before=99999999999999999.4.9999999999999999999")
    assert "Nothing further back." in text(auditor, talk, "?before=0.0.0")


@pytest.mark.parametrize("number", ["0", "9999999", "9" * 19, "9" * 30, "abc", "1%00", "-1", "1.0"])
def test_a_number_that_names_no_session_is_not_found(auditor, number):
    assert auditor.get(f"{LIST}{number}/change/").status_code == 404


def test_another_tenants_session_is_not_found(theirs, auditor):
    for path in (page_of(theirs.session), f"{LIST}{theirs.session.pk}/transcript.txt"):
        assert auditor.get(path).status_code == 404


def test_who_may_not_read_the_log_sees_no_tries_and_no_links_to_it(clock, begin, mara, client_as):
    session = begin()
    delivery = Delivery.objects.get()
    Attempt.objects.create(
        delivery=delivery,
        number=1,
        started_at=timezone.now(),
        outcome="unavailable",
        answer="the receiver's own words",
    )
    page = html(client_as("Agent"), session)
    assert "the receiver&#x27;s own words" not in page
    assert "/admin/channels_app/delivery/" not in page
    assert "the receiver&#x27;s own words" in html(client_as("Auditor"), session)
