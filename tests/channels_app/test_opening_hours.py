"""When a work type is open: by the tenant's clock, also on the days when the clocks change."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from channels_app.models import OpeningHours, WorkType
from project.access.models import Tenant

MON, FRI, SAT, SUN = 0, 4, 5, 6
MADRID = ZoneInfo("Europe/Madrid")


def make(zone: str, *spans: tuple[int, str, str]) -> WorkType:
    """A work type with these spans: weekday, from, to."""
    tenant = Tenant.objects.create(name=zone, time_zone=zone)
    kind = WorkType.objects.create(tenant=tenant, code="32", name="Billing")
    for weekday, opens, closes in spans:
        OpeningHours.objects.create(
            work_type=kind,
            weekday=weekday,
            opens=time.fromisoformat(opens),
            closes=time.fromisoformat(closes),
        )
    return kind


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def madrid(text: str, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=MADRID, fold=fold)


@pytest.fixture
def weekdays(db) -> WorkType:
    """Monday to Friday in Madrid, closed over lunch; 23 November 2026 is a Monday."""
    spans = [(day, *span) for day in range(5) for span in (("08:00", "13:00"), ("14:30", "18:00"))]
    return make("Europe/Madrid", *spans)


def test_without_hours_it_is_open_at_all_times(db):
    kind = make("Europe/Madrid")
    assert kind.is_open(utc("2026-11-29T03:00"))
    assert kind.is_open(madrid("2026-10-25T02:30", fold=1))


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-11-23T07:59:59.999999", False),
        ("2026-11-23T08:00", True),
        ("2026-11-23T12:59:59.999999", True),
        ("2026-11-23T13:00", False),
        ("2026-11-23T14:30", True),
        ("2026-11-23T18:00", False),
        ("2026-11-28T10:00", False),  # a Saturday
    ],
)
def test_it_is_open_from_its_first_moment_up_to_but_not_with_its_last(weekdays, at, is_open):
    assert weekdays.is_open(madrid(at)) is is_open
    assert weekdays.is_open(madrid(at).astimezone(UTC)) is is_open


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        ("2026-11-23T09:12", "2026-11-23T09:12"),  # now
        ("2026-11-23T06:00", "2026-11-23T08:00"),
        ("2026-11-23T13:10", "2026-11-23T14:30"),  # after lunch
        ("2026-11-23T18:00", "2026-11-24T08:00"),
        ("2026-11-27T18:00", "2026-11-30T08:00"),  # over the weekend
    ],
)
def test_it_says_when_it_opens_next(weekdays, at, opens):
    assert weekdays.opens_next(madrid(at)) == madrid(opens)


def test_one_span_a_week_opens_again_a_week_later(db):
    kind = make("Europe/Madrid", (MON, "08:00", "09:00"))
    assert kind.opens_next(madrid("2026-11-23T09:00")) == madrid("2026-11-30T08:00")


def test_midnight_ends_the_day_and_the_next_may_go_on(db):
    kind = make("Europe/Madrid", (FRI, "22:00", "00:00"), (SAT, "00:00", "02:00"))
    for at in ("2026-11-27T22:00", "2026-11-27T23:59:59", "2026-11-28T00:00", "2026-11-28T01:59"):
        assert kind.is_open(madrid(at))
    for at in ("2026-11-27T21:59", "2026-11-28T02:00", "2026-11-27T00:30"):
        assert not kind.is_open(madrid(at))


def test_a_whole_week_of_whole_days_is_always_open(db):
    kind = make("Europe/Madrid", *((day, "00:00", "00:00") for day in range(7)))
    moments = ("2026-03-29T01:30", "2026-10-25T02:30", "2026-10-25T03:30", "2026-11-29T23:59:59")
    for at in moments:
        assert kind.is_open(utc(at))


def test_the_weekday_is_the_tenants_own(db):
    kind = make("Pacific/Auckland", (MON, "08:00", "10:00"))
    assert kind.is_open(utc("2026-11-22T19:30"))  # Sunday evening in UTC, UTC+13 there
    assert kind.opens_next(utc("2026-11-22T21:00")) == utc("2026-11-29T19:00")


def test_hours_keep_their_place_on_the_clock_over_a_change(weekdays):
    assert weekdays.is_open(utc("2026-10-23T06:00"))  # Friday, UTC+2
    assert not weekdays.is_open(utc("2026-10-26T06:00"))  # Monday, UTC+1
    assert weekdays.opens_next(utc("2026-10-23T17:00")) == utc("2026-10-26T07:00")


def test_a_span_that_begins_in_the_skipped_hour_begins_where_the_clocks_leap(db):
    kind = make("Europe/Madrid", (SUN, "02:30", "04:00"))
    # 29 March 2026: at 01:00 UTC the clocks go from 02:00 to 03:00.
    assert kind.opens_next(utc("2026-03-29T00:00")) == utc("2026-03-29T01:00")
    assert not kind.is_open(utc("2026-03-29T00:59:59"))
    assert kind.is_open(utc("2026-03-29T01:00"))
    assert kind.is_open(utc("2026-03-29T01:59:59"))
    assert not kind.is_open(utc("2026-03-29T02:00"))


def test_a_span_that_ends_in_the_skipped_hour_ends_where_the_clocks_leap(db):
    kind = make("Europe/Madrid", (SUN, "01:00", "02:30"))
    assert kind.is_open(utc("2026-03-29T00:59:59"))
    assert not kind.is_open(utc("2026-03-29T01:00"))


def test_a_span_that_the_clocks_skip_comes_a_week_later(db):
    kind = make("Europe/Madrid", (SUN, "02:10", "02:50"))
    assert not kind.is_open(utc("2026-03-29T01:20"))
    assert kind.opens_next(utc("2026-03-23T12:00")) == utc("2026-04-05T00:10")


def test_the_hour_that_comes_twice_is_open_twice(db):
    kind = make("Europe/Madrid", (SUN, "02:00", "03:00"))
    # 25 October 2026: 02:00 is at 00:00 UTC, and again at 01:00 UTC.
    for at in ("2026-10-25T00:00", "2026-10-25T00:59", "2026-10-25T01:00", "2026-10-25T01:59"):
        assert kind.is_open(utc(at))
    assert not kind.is_open(utc("2026-10-24T23:59"))
    assert not kind.is_open(utc("2026-10-25T02:00"))


def test_a_span_in_the_hour_that_comes_twice_runs_from_its_first_to_its_second(db):
    kind = make("Europe/Madrid", (SUN, "02:15", "02:45"))
    assert kind.opens_next(utc("2026-10-24T12:00")) == utc("2026-10-25T00:15")
    assert kind.is_open(madrid("2026-10-25T02:15"))
    assert kind.is_open(utc("2026-10-25T01:44"))
    assert not kind.is_open(utc("2026-10-25T01:45"))


def test_a_moment_on_the_tenants_own_clock_is_told_from_its_twin(db):
    kind = make("Europe/Madrid", (SUN, "03:00", "04:00"))
    assert kind.opens_next(madrid("2026-10-25T02:30")) == utc("2026-10-25T02:00")
    assert kind.opens_next(madrid("2026-10-25T02:30", fold=1)) == utc("2026-10-25T02:00")
    assert kind.is_open(madrid("2026-10-25T03:00"))


def test_the_day_ends_once_where_the_clocks_change_at_midnight(db):
    # Havana, 1 November 2026: 01:00 becomes 00:00, so Sunday begins twice, at 04:00 UTC first.
    kind = make("America/Havana", (SAT, "22:00", "00:00"))
    assert kind.is_open(utc("2026-11-01T03:59:59"))
    assert not kind.is_open(utc("2026-11-01T04:00"))
    assert not kind.is_open(utc("2026-11-01T05:00"))


def test_a_day_that_the_clocks_skip_whole_has_no_hours(db):
    # Samoa left out Friday 30 December 2011: from Thursday midnight to Saturday, at 10:00 UTC.
    kind = make("Pacific/Apia", (FRI, "08:00", "17:00"))
    assert not kind.is_open(utc("2011-12-30T10:00"))
    assert kind.opens_next(utc("2011-12-29T00:00")) == utc("2012-01-05T18:00")
