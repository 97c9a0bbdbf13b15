from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from channels_app.dispatch.retry import JITTER, next_try, planned_after

START = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
FAR = START + timedelta(days=30)


def test_the_first_ten_waits_are_as_planned_and_then_hourly():
    seconds = [planned_after(attempt).total_seconds() for attempt in range(1, 13)]
    assert seconds == [5, 15, 45, 120, 300, 600, 1200, 1800, 2700, 3600, 3600, 3600]


@given(attempt=st.integers(1, 500))
def test_a_try_is_never_later_than_planned_and_at_most_a_tenth_early(attempt: int):
    due = next_try(attempt, ended_at=START, deadline=FAR)
    planned = planned_after(attempt)
    assert due is not None
    assert planned * (1 - JITTER) <= due - START <= planned


@given(attempt=st.integers(1, 30), asked=st.integers(0, 100_000))
def test_retry_after_can_only_put_a_try_off(attempt: int, asked: int):
    wait = timedelta(seconds=asked)
    due = next_try(attempt, ended_at=START, deadline=FAR, retry_after=wait)
    assert due is not None
    assert due - START >= max(wait, planned_after(attempt) * (1 - JITTER))


def test_nothing_is_planned_at_or_after_the_deadline():
    for attempt in range(1, 30):
        assert next_try(attempt, ended_at=START, deadline=START + timedelta(seconds=4)) is None


def test_four_hours_hold_thirteen_tries():
    now, tries = START, 1
    while (due := next_try(tries, ended_at=now, deadline=START + timedelta(hours=4))) is not None:
        now, tries = due, tries + 1
    assert tries in {12, 13}  # jitter may make room for one more
