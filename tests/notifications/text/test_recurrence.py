from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from notifications.text.recurrence import Recurrence, RecurrenceError

NEW_YORK = "America/New_York"


def recur(rule, start="2026-03-06T09:00", zone=NEW_YORK):
    begin = datetime.fromisoformat(start)
    return Recurrence.parse(
        rule, start=begin if begin.tzinfo else begin.replace(tzinfo=ZoneInfo(zone)), zone=zone
    )


def local(recurrence, count, form="%a %d %b %H:%M"):
    moments = [recurrence.first, *recurrence.next(count - 1, recurrence.first)]
    zone = ZoneInfo(recurrence.zone)
    return [moment.astimezone(zone).strftime(form) for moment in moments]


def test_a_daily_rule_stays_at_nine_when_the_clocks_change():
    daily = recur("RRULE:FREQ=DAILY", "2026-03-07T09:00")
    assert local(daily, 3, "%d %H:%M %z") == ["07 09:00 -0500", "08 09:00 -0400", "09 09:00 -0400"]
    assert daily.after(daily.first) == datetime(2026, 3, 8, 13, tzinfo=UTC)


def test_a_time_that_the_clocks_skip_moves_forward_by_the_gap():
    daily = recur("FREQ=DAILY", "2026-03-07T02:30")
    assert local(daily, 3, "%d %H:%M") == ["07 02:30", "08 03:30", "09 02:30"]


def test_a_time_that_comes_twice_is_the_first_one():
    daily = recur("FREQ=DAILY", "2026-10-31T01:30")
    assert local(daily, 3, "%d %H:%M %z") == ["31 01:30 -0400", "01 01:30 -0400", "02 01:30 -0500"]


def test_a_start_in_the_second_pass_of_an_hour_is_kept():
    daily = recur("FREQ=DAILY", "2026-11-01T01:30-05:00")
    assert daily.first == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
    assert local(daily, 2, "%d %H:%M") == ["01 01:30", "02 01:30"]


def test_an_hourly_rule_follows_the_wall_clock():
    spring = recur("FREQ=HOURLY", "2026-03-08T00:30")
    assert local(spring, 4, "%H:%M") == ["00:30", "01:30", "03:30", "04:30"]
    autumn = recur("FREQ=HOURLY", "2026-11-01T00:30")
    assert local(autumn, 4, "%H:%M %z") == [
        "00:30 -0400",
        "01:30 -0400",
        "02:30 -0500",
        "03:30 -0500",
    ]


def test_skipped_times_keep_their_order_among_the_others():
    # Troll skips two hours: 01:00 becomes 03:00 and 02:00 becomes 04:00.
    daily = recur("FREQ=DAILY;BYHOUR=1,2,3", "2026-03-29T00:00+00:00", "Antarctica/Troll")
    assert local(daily, 4, "%d %H:%M") == ["29 03:00", "29 04:00", "30 01:00", "30 02:00"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("freq=weekly;byday=mo,we", ["Mon 09 Mar 09:00", "Wed 11 Mar 09:00", "Mon 16 Mar 09:00"]),
        ("FREQ=WEEKLY;INTERVAL=2", ["Fri 06 Mar 09:00", "Fri 20 Mar 09:00", "Fri 03 Apr 09:00"]),
        ("FREQ=MONTHLY;BYMONTHDAY=1", ["Wed 01 Apr 09:00", "Fri 01 May 09:00", "Mon 01 Jun 09:00"]),
        (
            "FREQ=MONTHLY;BYMONTHDAY=-1;BYHOUR=17",
            ["Tue 31 Mar 17:00", "Thu 30 Apr 17:00", "Sun 31 May 17:00"],
        ),
        (
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
            ["Tue 31 Mar 09:00", "Thu 30 Apr 09:00", "Fri 29 May 09:00"],
        ),
        ("FREQ=MONTHLY;BYDAY=2TU", ["Tue 10 Mar 09:00", "Tue 14 Apr 09:00", "Tue 12 May 09:00"]),
        ("FREQ=MONTHLY;BYDAY=WE,2TU", ["Tue 10 Mar 09:00", "Wed 11 Mar 09:00", "Wed 18 Mar 09:00"]),
        ("FREQ=YEARLY;BYWEEKNO=20", ["Fri 15 May 09:00", "Fri 21 May 09:00", "Fri 19 May 09:00"]),
        (
            "FREQ=WEEKLY;BYDAY=MO,FR,SA;BYSETPOS=1",
            ["Mon 09 Mar 09:00", "Mon 16 Mar 09:00", "Mon 23 Mar 09:00"],
        ),
        (
            "FREQ=DAILY;BYHOUR=8,12;BYMINUTE=15",
            ["Fri 06 Mar 12:15", "Sat 07 Mar 08:15", "Sat 07 Mar 12:15"],
        ),
        ("FREQ=HOURLY;INTERVAL=6", ["Fri 06 Mar 09:00", "Fri 06 Mar 15:00", "Fri 06 Mar 21:00"]),
        ("FREQ=DAILY;COUNT=2", ["Fri 06 Mar 09:00", "Sat 07 Mar 09:00"]),
        ("FREQ=DAILY;UNTIL=20260307", ["Fri 06 Mar 09:00", "Sat 07 Mar 09:00"]),
        ("FREQ=DAILY;UNTIL=20260307T090000", ["Fri 06 Mar 09:00", "Sat 07 Mar 09:00"]),
        ("FREQ=DAILY;UNTIL=20260307T140000Z", ["Fri 06 Mar 09:00", "Sat 07 Mar 09:00"]),
        ("FREQ=DAILY;UNTIL=20260307T135959Z", ["Fri 06 Mar 09:00"]),
    ],
)
def test_a_rule_yields_what_it_says(rule, expected):
    assert local(recur(rule), 3) == expected


def test_the_start_counts_only_when_the_rule_names_it():
    friday = recur("FREQ=WEEKLY;BYDAY=FR")
    assert friday.first == friday.start
    monday = recur("FREQ=WEEKLY;BYDAY=MO;COUNT=1")
    assert local(monday, 2) == ["Mon 09 Mar 09:00"]


def test_after_is_strictly_later_and_ends_with_the_rule():
    twice = recur("FREQ=DAILY;COUNT=2")
    second = twice.after(twice.first)
    assert second == twice.first + timedelta(days=1)
    assert twice.after(second) is None
    assert twice.after(twice.first - timedelta(seconds=1)) == twice.first
    assert twice.after(datetime(1, 1, 1, tzinfo=UTC)) == twice.first


@pytest.mark.parametrize("zone", [NEW_YORK, "Asia/Tokyo"])
def test_no_occurrence_is_looked_for_at_the_end_of_the_calendar(zone):
    yearly = recur("FREQ=YEARLY", zone=zone)
    assert yearly.after(datetime.max.replace(tzinfo=UTC)) is None
    assert yearly.after(datetime(2399, 12, 31, 23, tzinfo=UTC)) is None


def test_an_hourly_rule_is_quick_even_after_a_century():
    later = datetime(2150, 1, 1, 0, 30, tzinfo=UTC)
    assert recur("FREQ=HOURLY").after(later) == later + timedelta(minutes=30)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("5", "not a part of a rule"),
        ("daily", "not a part of a rule"),
        ("FREQ=DAILY;", "not a part of a rule"),
        ("RRULE:", "not a part of a rule"),
        ("FREQ=", "not a part of a rule"),
        ("INTERVAL=2", "FREQ is missing"),
        ("FREQ=FORTNIGHTLY", "is not one of"),
        ("FREQ=SECONDLY", "too frequent"),
        ("FREQ=MINUTELY;INTERVAL=90", "too frequent"),
        ("FREQ=DAILY;BYMINUTE=0,30", "once an hour"),
        ("FREQ=DAILY;BYSECOND=0,30", "once an hour"),
        ("FREQ=DAILY\nFREQ=DAILY", "one line"),
        ("RRULE:FREQ=DAILY\r\nEXRULE:FREQ=WEEKLY", "one line"),
        ("DTSTART:20260101T000000Z", "not a part of a rule"),
        ("EXRULE:FREQ=DAILY", "not known"),
        ("FREQ=DAILY;FREQ=DAILY", "twice"),
        ("FREQ=DAILY;BYEASTER=0", "not known"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL"),
        ("FREQ=DAILY;INTERVAL=1001", "INTERVAL"),
        ("FREQ=DAILY;INTERVAL=" + "9" * 400, "INTERVAL"),
        ("FREQ=DAILY;COUNT=1001", "COUNT"),
        ("FREQ=DAILY;COUNT=-1", "COUNT"),
        ("FREQ=DAILY;COUNT=²", "COUNT"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101", "not both"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL"),
        ("FREQ=DAILY;UNTIL=20260230", "UNTIL"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR"),
        ("FREQ=DAILY;BYHOUR=-1", "BYHOUR"),
        ("FREQ=DAILY;BYMONTH=1,,2", "BYMONTH"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY"),
        ("FREQ=WEEKLY;BYDAY=XX", "BYDAY"),
        ("FREQ=WEEKLY;BYDAY=1MO", "BYDAY"),
        ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY"),
        ("FREQ=MONTHLY;BYDAY=6MO", "five"),
        ("FREQ=YEARLY;BYMONTH=12;BYDAY=53MO", "five"),
        ("FREQ=YEARLY;BYWEEKNO=3;BYDAY=1MO", "BYWEEKNO"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYYEARDAY=1", "BYYEARDAY"),
        ("FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO"),
        ("FREQ=MONTHLY;BYSETPOS=1", "another BY part"),
        ("FREQ=WEEKLY;WKST=1", "WKST"),
        ("FREQ=DAILY;BYHOUR=" + ",".join(["1"] * 300), "longer than"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused(rule, words):
    with pytest.raises(RecurrenceError, match=words):
        recur(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=HOURLY;INTERVAL=2;BYHOUR=2",
        "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
        "FREQ=DAILY;UNTIL=20260101",
        "FREQ=HOURLY;BYMINUTE=5;BYSETPOS=2",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;BYHOUR=1,2,3,4,5,6,7,8,9;BYSETPOS=1,2,3,4,5,6,7,8,9,-1",
    ],
)
def test_a_rule_that_never_comes_is_refused(rule):
    # Left to itself, dateutil would search each of these up to the year 9999.
    with pytest.raises(RecurrenceError):
        recur(rule)


@pytest.mark.parametrize("zone", ["", "Nowhere/Land", "Europe", "../x", "a\0b", "x" * 500])
def test_an_unknown_time_zone_is_refused(zone):
    with pytest.raises(RecurrenceError, match="time zone"):
        Recurrence.parse("FREQ=DAILY", start=datetime(2026, 1, 1, tzinfo=UTC), zone=zone)


@pytest.mark.parametrize("year", [1999, 2201])
def test_a_start_far_from_now_is_refused(year):
    with pytest.raises(RecurrenceError, match="between the years"):
        recur("FREQ=DAILY", f"{year}-06-01T00:00")


def test_the_29th_of_february_comes_in_leap_years_only():
    assert local(recur("FREQ=YEARLY", "2096-02-29T09:00"), 3, "%Y") == ["2096", "2104", "2108"]


ZONES = st.sampled_from(
    [NEW_YORK, "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "Antarctica/Troll", "UTC"]
)
STARTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
RULES = st.builds(
    "FREQ={};INTERVAL={}{}".format,
    st.sampled_from(["HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    st.integers(1, 40),
    st.sampled_from(["", ";BYDAY=MO,TH", ";BYHOUR=1,2,3", ";BYMONTH=3,10", ";BYDAY=SA;BYSETPOS=1"]),
)


def recur_or_skip(rule, start, zone):
    try:
        return Recurrence.parse(rule, start=start, zone=zone)
    except RecurrenceError:
        assume(False)


@settings(max_examples=100, deadline=None)
@given(RULES, STARTS, ZONES)
def test_occurrences_only_ever_increase_from_the_start_on(rule, start, zone):
    recurrence = recur_or_skip(rule, start, zone)
    moments = [recurrence.first, *recurrence.next(60, recurrence.first)]
    assert moments[0] >= recurrence.start
    assert all(one < other for one, other in pairwise(moments))
    assert all(moment.tzinfo is UTC for moment in moments)


@settings(max_examples=100, deadline=None)
@given(RULES, STARTS, ZONES, st.integers(0, 50), st.timedeltas(timedelta(0), timedelta(hours=3)))
def test_asking_from_the_middle_gives_what_counting_from_the_start_gives(
    rule, start, zone, index, later
):
    recurrence = recur_or_skip(rule, start, zone)
    moments = [recurrence.first, *recurrence.next(60, recurrence.first)]
    asked = moments[min(index, len(moments) - 1)] + later
    expected = [moment for moment in moments if moment > asked][:3]
    assert recurrence.next(len(expected), asked) == expected


@settings(max_examples=100, deadline=None)
@given(STARTS, ZONES)
def test_a_daily_rule_keeps_its_wall_clock_time_wherever_that_exists(start, zone):
    tz = ZoneInfo(zone)
    daily = Recurrence.parse("FREQ=DAILY", start=start, zone=zone)
    clock = start.astimezone(tz).replace(microsecond=0).time()
    days = [moment.astimezone(tz) for moment in [daily.first, *daily.next(400, daily.first)]]
    assert [day.date() for day in days] == [
        days[0].date() + timedelta(days=number) for number in range(len(days))
    ]
    for day in days:
        wanted = datetime.combine(day.date(), clock, tz)
        exists = wanted.astimezone(UTC).astimezone(tz).time() == clock
        assert (day.time() == clock) is exists
        assert day.time() >= clock
