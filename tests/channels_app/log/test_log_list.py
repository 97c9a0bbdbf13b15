"""The log's list: what it shows, filters, pages."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from channels_app.log.filters import LogForm
from channels_app.log.paging import NEWEST, OLDEST
from channels_app.models import Channel, Delivery, State

from .conftest import LIST


@pytest.fixture
def auditor(at_noon: None, client_as: Callable[[str], Client]) -> Client:
    return client_as("Auditor")


def shown(client: Client, **query) -> list[int]:
    """The ids of the deliveries that the list shows, in its order."""
    response = client.get(LIST, query)
    assert response.status_code == 200
    return [int(pk) for pk in re.findall(r"/delivery/(\d+)/change/", response.content.decode())]


def text(client: Client, **query) -> str:
    response = client.get(LIST, query)
    assert response.status_code == 200
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode())))


def link(client: Client, words: str, query: str = "") -> str | None:
    """The query string behind one of the links under the list."""
    page = client.get(LIST + query).content.decode()
    found = re.search(rf'href="(\?[^"]*)"[^>]*>\W*{words}\W*</a>', page)
    return unescape(found[1]) if found else None


def test_the_list_shows_the_newest_first(auditor, make_delivery):
    old = make_delivery("bo", age=timedelta(hours=2))
    new = make_delivery("ana", age=timedelta(hours=1))
    assert shown(auditor) == [new.pk, old.pk]


def test_a_line_says_who_how_what_and_when_next(auditor, make_delivery):
    due = timezone.now() + timedelta(minutes=7)
    make_delivery("ana", state=State.QUEUED, tries=2, due_at=due, reason="HTTP 503: in maintenance")
    said = text(auditor)
    assert "ana Hooks queued 2 tries unavailable · 503: HTTP 503: in maintenance" in said.replace(
        "\N{NO-BREAK SPACE}", " "
    )
    assert f"next try {due.astimezone(Delivery.objects.get().tenant.zone):%H:%M:%S}" in said


def test_times_stand_in_the_tenants_zone_with_a_date_unless_it_is_today(auditor, make_delivery):
    make_delivery("ana", age=timedelta(hours=1))
    make_delivery("bo", age=timedelta(days=3))
    make_delivery("chidi", age=timedelta(days=400))
    said = text(auditor)
    assert " 11:00:00 ana" in said  # 10:00 UTC in Madrid
    assert " 20 Nov, 12:00:00 bo" in said
    assert " 19 Oct 2025, 13:00:00 chidi" in said  # summer time then
    assert "Times in Europe/Madrid." in said


def test_another_tenants_deliveries_are_not_listed(auditor, make_delivery, other_channel):
    make_delivery(over=other_channel)
    assert shown(auditor) == []


def test_the_states_filter_takes_several(auditor, make_delivery):
    failed = make_delivery(state=State.FAILED, age=timedelta(minutes=3))
    make_delivery(state=State.SENT, age=timedelta(minutes=2))
    expired = make_delivery(state=State.EXPIRED, age=timedelta(minutes=1))
    assert shown(auditor, state="failed") == [failed.pk]
    assert shown(auditor, state=["failed", "expired"]) == [expired.pk, failed.pk]
    assert len(shown(auditor, state=State.values)) == 3


def test_the_channel_filter(auditor, make_delivery, tenant):
    chat = Channel.objects.create(tenant=tenant, name="Chat", kind="chat")
    make_delivery()
    over_chat = make_delivery(over=chat)
    assert shown(auditor, channel=chat.pk) == [over_chat.pk]


def test_the_recipient_filter_wants_the_whole_login(auditor, make_delivery):
    ana = make_delivery("ana@acme.example")
    make_delivery("ana@acme.example.org")
    assert shown(auditor, recipient="ana@acme.example") == [ana.pk]
    assert shown(auditor, recipient=" ana@acme.example ") == [ana.pk]
    assert shown(auditor, recipient="ana") == []
    assert "A login is looked for whole" in text(auditor, recipient="ana")


def test_the_notification_filter_shows_its_deliveries_and_its_books(auditor, make_delivery):
    make_delivery(origin_id=1)
    sent = make_delivery(origin_id=2)
    failed = make_delivery(origin_id=2, state=State.FAILED)
    make_delivery(origin_id=2, origin_kind="replay")
    assert shown(auditor, notification=2) == [failed.pk, sent.pk]
    assert shown(auditor, notification=2, state="failed") == [failed.pk]
    assert "sent 1 failed 1 all 2" in text(auditor, notification=2)


def test_a_state_that_is_rare_in_a_large_notification_is_found(auditor, make_delivery):
    people = [make_delivery() for _ in range(25)]
    failed = [make_delivery(state=State.FAILED), make_delivery(state=State.EXPIRED)]
    found = [failed[1].pk, failed[0].pk]
    assert shown(auditor, notification=1, state=["failed", "expired"]) == found
    assert shown(auditor, notification=1, state="sent") == [d.pk for d in reversed(people)]


def test_the_time_filter_reads_the_tenants_clock(auditor, make_delivery):
    before, first, last, after = (
        make_delivery(created_at=datetime(2026, 11, 23, hour, minute, tzinfo=UTC))
        for hour, minute in ((6, 29), (6, 30), (7, 29), (7, 30))
    )
    span = {"since": "2026-11-23T07:30", "until": "2026-11-23 08:30"}  # Madrid is at UTC+1
    assert shown(auditor, **span) == [last.pk, first.pk]
    assert shown(auditor, since="2026-11-23T07:30:00Z") == [after.pk]
    assert shown(auditor, until="2026-11-23T07:30") == [before.pk]


def test_a_date_alone_means_its_whole_day(auditor, make_delivery):
    day = make_delivery(created_at=datetime(2026, 11, 23, 22, 59, tzinfo=UTC))
    make_delivery(created_at=datetime(2026, 11, 23, 23, 0, tzinfo=UTC))
    assert shown(auditor, since="2026-11-23", until="2026-11-23") == [day.pk]


def test_the_hour_that_comes_twice_is_covered_from_its_first_to_its_second(auditor, make_delivery):
    twice = [
        make_delivery(created_at=datetime(2026, 10, 25, hour, 30, tzinfo=UTC)) for hour in (0, 1)
    ]
    span = {"since": "2026-10-25T02:15", "until": "2026-10-25T02:45"}
    assert shown(auditor, **span) == [twice[1].pk, twice[0].pk]


def test_a_message_is_found_by_its_id_or_its_number(auditor, make_delivery):
    wanted = make_delivery()
    make_delivery()
    assert shown(auditor, message=wanted.pk) == [wanted.pk]
    assert shown(auditor, message=wanted.public_id) == [wanted.pk]
    assert shown(auditor, message=wanted.public_id.upper()) == [wanted.pk]
    strange = f"dlv_{'0' * 12}_{wanted.pk}"
    assert shown(auditor, message=strange) == []


def test_filters_narrow_each_other(auditor, make_delivery):
    wanted = make_delivery("ana", state=State.FAILED, origin_id=7)
    make_delivery("ana", state=State.SENT, origin_id=7)
    make_delivery("bo", state=State.FAILED, origin_id=7)
    make_delivery("ana", state=State.FAILED, origin_id=8)
    query = {"recipient": "ana", "state": "failed", "notification": 7, "channel": wanted.channel_id}
    assert shown(auditor, **query) == [wanted.pk]


def test_paging_by_key_meets_each_delivery_once_there_and_back(auditor, make_delivery):
    made = datetime(2026, 11, 23, 12, tzinfo=UTC)
    # As expansion makes them: many of one moment. The id decides among those.
    pks = [make_delivery(created_at=made + timedelta(seconds=n // 40)).pk for n in range(120)]
    newest_first = pks[::-1]

    def read(query: str) -> list[int]:
        page = auditor.get(LIST + query).content.decode()
        return [int(pk) for pk in re.findall(r"/delivery/(\d+)/change/", page)]

    pages = [""]
    while older := link(auditor, "Older", pages[-1]):
        pages.append(older)
    assert [pk for page in pages for pk in read(page)] == newest_first
    assert [len(read(page)) for page in pages] == [50, 50, 20]

    back = link(auditor, "Newer", pages[-1])
    assert back is not None
    assert read(back) == newest_first[50:100]
    oldest = link(auditor, "Oldest", "")
    assert oldest is not None
    assert read(oldest) == newest_first[-50:]
    assert link(auditor, "Older", oldest) is None


def test_when_few_are_left_above_the_newer_page_is_the_full_newest_one(auditor, make_many):
    pks = [delivery.pk for delivery in make_many(120, state=State.FAILED)]
    second = link(auditor, "Older", "?state=failed")
    assert second is not None
    up = link(auditor, "Newer", second)
    assert up is not None
    Delivery.objects.filter(pk__gt=pks[-11]).update(state=State.SENT)
    page = auditor.get(LIST + up).content.decode()
    found = [int(pk) for pk in re.findall(r"/delivery/(\d+)/change/", page)]
    assert found == pks[-11:-61:-1]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"state": ["failed", "expired", "sent"]},
        {"notification": "1"},
        {"notification": "1", "state": ["failed", "expired"]},
        {"recipient": "ana", "state": ["failed", "sent"]},
    ],
)
def test_every_filter_pages_to_the_same_rows_from_both_ends(tenant, make_delivery, query):
    states = [State.FAILED, State.SENT, State.EXPIRED, *[State.DELIVERED] * 20]
    for number in range(46):
        make_delivery("ana" if number % 2 else "bo", state=states[number % len(states)])
    form = LogForm(_query(query), tenant=tenant)
    assert form.is_valid(), form.errors
    listing = form.chosen.listing(tenant, form.chosen.books(tenant))
    down = [page.rows for page in _pages(listing, NEWEST, "older", tenant)]
    up = [page.rows for page in _pages(listing, OLDEST, "newer", tenant)]
    rows = [delivery.pk for page in down for delivery in page]
    assert sorted(rows) == sorted(set(rows))
    assert rows == [delivery.pk for delivery in listing.take(1000)]
    climbed = {delivery.pk for page in up for delivery in page}
    assert climbed == set(rows)


def _query(values):
    from django.http import QueryDict

    query = QueryDict(mutable=True)
    for name, value in values.items():
        query.setlist(name, value if isinstance(value, list) else [value])
    return query


def _pages(listing, place, direction, tenant):
    while True:
        page = listing.page(place, 3)
        yield page
        following = getattr(page, direction)
        if not following:
            return
        place = LogForm(_query({"at": following}), tenant=tenant)
        assert place.is_valid()
        place = place.place


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("state", "lost", "“lost” is not a state."),
        ("state", "<script>alert(1)</script>", "is not a state."),
        ("state", "sent\0", "is not a state."),
        ("channel", "abc", "There is no such channel."),
        ("channel", "9" * 30, "There is no such channel."),
        ("channel", "9" * 5000, "There is no such channel."),
        ("channel", "1\0", "Null characters are not allowed."),
        ("recipient", "a" * 255, "at most 254 characters"),
        ("recipient", "ana\0", "Null characters are not allowed."),
        ("notification", "abc", "Enter a notification's number."),
        ("notification", "0", "Enter a notification's number."),
        ("notification", "-1", "Enter a notification's number."),
        ("notification", "9" * 30, "Enter a notification's number."),
        ("notification", "9" * 5000, "Enter a notification's number."),
        ("notification", "1\0", "Enter a notification's number."),
        ("message", "dlv_1", "Enter a message ID"),
        ("message", "<img src=x>", "Enter a message ID"),
        ("message", "9" * 19, "Enter a message ID"),
        ("message", "9" * 5000, "Enter a message ID"),
        ("message", "1\0", "Enter a message ID"),
        ("since", "yesterday", "Enter a date and time"),
        ("since", "2026-02-30T10:00", "Enter a date and time"),
        ("since", "0001-01-01T00:00+14:00", "Enter a date and time"),
        ("since", "2026-11-23\0", "Null characters are not allowed."),
        ("since", "2" * 500, "at most 40 characters"),
        ("until", "9999-12-31", "Enter a date and time"),
        ("until", "23.11.2026 25:61", "Enter a date and time"),
    ],
)
def test_a_wrong_filter_is_told_beside_its_field_and_nothing_is_listed(
    auditor, make_delivery, field, value, message
):
    make_delivery()
    response = auditor.get(LIST, {field: value})
    page = response.content.decode()
    assert response.status_code == 200
    assert "/change/" not in page
    assert "<script>alert" not in page
    error = re.search(r'<ul class="errors"[^>]*>(.*?)</ul>', page, re.DOTALL)
    assert error
    assert message in unescape(error[1])
    assert "Nothing is shown" in page


@pytest.mark.parametrize(
    ("zone", "since", "told"),
    [
        ("Asia/Tokyo", "9999-12-31T23:30Z", False),
        ("Asia/Tokyo", "9999-12-31T14:59:59Z", True),
        ("America/New_York", "0001-01-01T00:30Z", False),
        ("America/New_York", "0001-01-01T12:00Z", True),
    ],
)
def test_a_moment_must_lie_on_the_calendar_of_the_tenants_zone(auditor, tenant, zone, since, told):
    tenant.time_zone = zone
    tenant.save()
    said = text(auditor, since=since)
    assert ("Enter a date and time" not in said) is told
    assert ("Nothing is shown" not in said) is told


def test_a_span_that_ends_before_it_begins_is_told(auditor):
    said = text(auditor, since="2026-11-23T10:00", until="2026-11-23T10:00")
    assert "“To” must be later than “From”." in said


def test_another_tenants_channel_is_no_choice(auditor, other_channel):
    assert "There is no such channel." in text(auditor, channel=other_channel.pk)
    assert other_channel.name not in text(auditor)


@pytest.mark.parametrize(
    "at", ["x", "older", "older.1", "older.a.b", "older.1.2.3", "newest", "older.1.\0", "9" * 5000]
)
def test_a_damaged_page_link_says_so_and_shows_the_newest(auditor, make_delivery, at):
    delivery = make_delivery()
    assert shown(auditor, at=at) == [delivery.pk]
    said = text(auditor, at=at)
    assert "link is damaged" in said or "Null characters" in said


@pytest.mark.parametrize(
    "at",
    [f"{way}.{first}.{'9' * 19}" for way in ("older", "newer") for first in ("9" * 19, "-1", "0")],
)
@pytest.mark.parametrize("query", [{}, {"notification": 1}, {"state": ["sent", "failed"]}])
def test_a_page_link_beyond_all_rows_is_no_error(auditor, make_delivery, at, query):
    make_delivery()
    assert len(shown(auditor, at=at, **query)) <= 1


def test_what_people_wrote_is_shown_escaped(auditor, make_delivery):
    make_delivery("<b>ana</b>", reason="<script>alert(1)</script>", state=State.FAILED)
    page = auditor.get(LIST).content.decode()
    assert "<b>ana" not in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_list_costs_few_queries_however_long_it_is(
    auditor, make_delivery, django_assert_max_num_queries
):
    for _ in range(60):
        make_delivery(tries=2, state=State.FAILED)
    for query in (
        {},
        {"notification": 1, "state": ["failed", "sent"]},
        {"state": ["failed", "sent", "expired"], "channel": Channel.objects.get().pk},
    ):
        with django_assert_max_num_queries(12):
            auditor.get(LIST, query)


def test_an_empty_log_says_so(auditor):
    assert "Nothing sent yet" in text(auditor)
