"""A delivery's page: its words, its time line, its attempts, what was sent."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from itertools import pairwise

import pytest
from django.test import Client
from django.utils import timezone

from channels_app.models import Attempt, State
from channels_app.operations import replay_delivery
from project.access.audit import Actor

from .conftest import LIST, NOON, page_of


@pytest.fixture
def auditor(at_noon: None, client_as: Callable[[str], Client]) -> Client:
    return client_as("Auditor")


def html(client: Client, delivery) -> str:
    response = client.get(page_of(delivery))
    assert response.status_code == 200
    return response.content.decode()


def text(client: Client, delivery) -> str:
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html(client, delivery)))
    return unescape(plain).replace("\N{NO-BREAK SPACE}", " ")


def marks(page: str, kind: str) -> list[float]:
    """Where the time line's marks of a kind stand, in percent of its length."""
    found = re.findall(r'<circle class="([^"]+)" cx="([\d.]+)%"', page)
    return [float(x) for names, x in found if names.split()[0] == kind]


def test_the_page_says_who_where_when_and_from_what(auditor, make_delivery):
    delivery = make_delivery("ana", address="https://hooks.example/ana")
    said = text(auditor, delivery)
    assert f"Delivery {delivery.pk} sent" in said
    assert "To ana over Hooks. The channel took it 12:00:00; arrival is not known." in said
    assert f"Message ID {delivery.public_id}" in said
    assert "Address https://hooks.example/ana" in said
    assert "From Notification 1" in said
    assert "Created Mon 23 Nov 2026, 12:00:00" in said
    assert "Deadline Mon 23 Nov 2026, 16:00:00" in said


def test_the_tries_stand_on_the_line_from_creation_to_deadline(auditor, make_delivery):
    delivery = make_delivery(
        state=State.QUEUED,
        tries=2,
        age=timedelta(hours=1),
        due_at=timezone.now() + timedelta(minutes=12),
    )
    Attempt.objects.create(
        delivery=delivery,
        number=3,
        started_at=delivery.created_at + timedelta(minutes=24),
        outcome="unknown",
        error="The worker was lost; it may have arrived.",
        next_at=delivery.due_at,
    )
    delivery.attempt_count = 3
    delivery.save()
    page = html(auditor, delivery)
    said = text(auditor, delivery)
    assert "4 hours to deliver" in said
    assert marks(page, "try") == [0.01, 0.01, 10.0]  # of 240 minutes: 1 s, 2 s and 24 min
    assert marks(page, "next") == [30.0]
    # After the fourth try fails: 2, 5, 10, 20, 30, 45 minutes; the next would pass the deadline.
    waits = [2, 5, 10, 20, 30, 45]
    planned = [72 + sum(waits[: n + 1]) for n in range(len(waits))]
    drawn = [100 * minute / 240 for minute in planned]
    assert marks(page, "planned") == pytest.approx(
        [place for place in drawn if place - 30 >= 1.6], abs=0.01
    )
    assert "3 tries: 503 (2 times), cut off." in said
    assert "If the next fails, up to 6 more follow." in said
    assert "deadline 15:00:00" in said
    assert "next 12:12:00" in said


def test_the_tries_stand_in_a_table_as_well(auditor, make_delivery):
    delivery = make_delivery(state=State.QUEUED, due_at=timezone.now() + timedelta(seconds=5))
    Attempt.objects.create(
        delivery=delivery,
        number=1,
        started_at=timezone.now() + timedelta(milliseconds=113),
        duration=0.212,
        outcome="unavailable",
        status=503,
        answer="maintenance window",
        next_at=timezone.now() + timedelta(seconds=5),
    )
    Attempt.objects.create(
        delivery=delivery, number=2, started_at=timezone.now(), outcome="unknown"
    )
    said = text(auditor, delivery)
    assert (
        "1 12:00:00.113 212 ms unavailable · 503 maintenance window next planned 12:00:05" in said
    )
    assert "2 12:00:00.000 not known cut off: it may have arrived" in said


@pytest.mark.parametrize(
    ("state", "values", "words"),
    [
        (State.QUEUED, {}, "First try due now."),
        (State.QUEUED, {"tries": 1, "due_at": NOON + timedelta(hours=4)}, "No try is left"),
        (State.SENDING, {"attempt_count": 1, "claimed_at": NOON}, "Try 1 is under way since 12:00"),
        (State.DELIVERED, {}, "The far end confirmed it 12:00:00."),
        (State.FAILED, {"reason": "HTTP 410"}, "Given up 12:00:00: HTTP 410"),
        (State.EXPIRED, {"reason": "HTTP 503"}, "deadline passed 12:00:00; the last try met: HTTP"),
        (State.CANCELLED, {"reason": "Cancelled by mara."}, "Ended 12:00:00: Cancelled by mara."),
        (State.SUPPRESSED, {"reason": "Opted out."}, "Not sent: Opted out."),
    ],
)
def test_each_state_is_told_in_words(auditor, make_delivery, state, values, words):
    assert words in text(auditor, make_delivery(state=state, **values))


def test_a_delivery_of_a_resting_channel_says_that_it_waits(auditor, make_delivery, channel):
    channel.is_active = False
    channel.save()
    delivery = make_delivery(state=State.QUEUED)
    assert "First try once the channel rests no more." in text(auditor, delivery)


def test_a_long_plan_is_drawn_without_crowding(auditor, make_delivery, channel):
    channel.lifetime = timedelta(days=14)
    channel.save()
    page = html(auditor, make_delivery(state=State.QUEUED))
    places = [*marks(page, "next"), *marks(page, "planned")]
    assert 10 < len(places) < 70
    assert min(b - a for a, b in pairwise(places)) >= 1.6


def test_a_text_is_shown_with_its_links_and_its_lines(auditor, make_delivery):
    words = "Hello <b>Ana</b>,\nsee https://status.example/7?a=1&b=2."
    page = html(auditor, make_delivery(payload={"type": "TEXT", "text": words}))
    assert "Hello &lt;b&gt;Ana&lt;/b&gt;,\nsee <a href=" in page
    assert 'href="https://status.example/7?a=1&amp;b=2" rel="noopener noreferrer nofollow"' in page


def test_a_card_shows_its_parts_and_opens_only_web_addresses(auditor, make_delivery):
    card = {
        "type": "CARD",
        "title": "<script>alert(1)</script>",
        "text": "Tonight",
        "image": "https://cdn.example/a.png",
        "actions": [
            {"title": "Details", "url": "https://a.example/"},
            {"title": "Bad", "url": "javascript:alert(1)"},
        ],
    }
    page = html(auditor, make_delivery(payload=card))
    assert "<script>alert" not in page
    assert 'href="https://a.example/"' in page
    assert 'href="javascript' not in page
    assert "Bad: javascript:alert(1)" in page
    # The reader's browser asks a stranger's server for the picture only once it is unfolded.
    assert re.search(
        r'<details><summary>Show the picture[^<]*</summary><img [^>]*loading="lazy"', page
    )


def test_an_image_shows_its_address_and_caption(auditor, make_delivery):
    image = {"type": "IMAGE", "url": "https://cdn.example/map.png", "text": "Where we dig"}
    said = text(auditor, make_delivery(payload=image))
    assert "Where we dig Picture: https://cdn.example/map.png" in said


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"event": "SESSION_ENDED", "nested": {"a": [1, None]}},
        {"type": "TEXT", "text": 7},
        {"type": "CARD", "title": None, "actions": "none"},
        {"type": "CARD", "actions": ["x", {"title": 1}]},
    ],
)
def test_a_payload_of_another_shape_shows_as_data(auditor, make_delivery, payload):
    assert "Data (JSON)" in text(auditor, make_delivery(payload=payload))


def test_hostile_answers_are_shown_as_they_came(auditor, make_delivery):
    delivery = make_delivery(state=State.FAILED, reason="<img src=x onerror=alert(1)>")
    Attempt.objects.create(
        delivery=delivery,
        number=1,
        started_at=timezone.now(),
        outcome="rejected",
        status=400,
        error="<script>alert(2)</script>",
        answer="<html><body onload=alert(3)>" * 50,
    )
    page = html(auditor, delivery)
    assert "<img src=x" not in page
    assert "<script>alert" not in page
    assert "<body onload" not in page
    assert "&lt;script&gt;alert(2)" in page


def test_a_replay_and_its_original_lead_to_each_other(auditor, make_delivery):
    original = make_delivery()
    replay, _ = replay_delivery(original, by=Actor.hub("test"))
    assert f'href="{page_of(replay)}"' in html(auditor, original)
    assert f'href="{page_of(original)}"' in html(auditor, replay)
    assert f"Replay of delivery {original.pk}" in text(auditor, replay)


def test_what_people_did_is_shown_to_who_may_read_the_audit_trail(client_as, make_delivery):
    original = make_delivery()
    replay_delivery(original, by=Actor.hub("night shift"))
    assert "replay by night shift" in text(client_as("Auditor"), original)
    assert "night shift" not in text(client_as("Composer"), original)


@pytest.mark.parametrize(
    "number",
    ["0", "9999999", "9" * 19, "9" * 30, "9" * 5000, "abc", "1%00", "-1", "1.0", "%3Cb%3E"],
)
def test_a_number_that_names_no_delivery_is_not_found(auditor, number):
    assert auditor.get(f"{LIST}{number}/change/").status_code == 404


def test_another_tenants_delivery_is_not_found(auditor, make_delivery, other_channel):
    assert auditor.get(page_of(make_delivery(over=other_channel))).status_code == 404


def test_the_page_costs_few_queries_however_many_tries(
    auditor, make_delivery, django_assert_max_num_queries
):
    delivery = make_delivery(state=State.FAILED, tries=40)
    with django_assert_max_num_queries(12):
        auditor.get(page_of(delivery))


def test_the_page_needs_nothing_inline(auditor, make_delivery):
    page = html(auditor, make_delivery(tries=3))
    assert not re.search(r"<[^>]+\sstyle=", page)
    assert not re.search(r"<[^>]+\son\w+=", page)
    assert "<style" not in page
