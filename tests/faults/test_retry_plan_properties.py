"""The retry plan for any durations, deadlines and wishes of receivers."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from channels_app.dispatch.retry import JITTER, next_try, planned_after
from channels_app.http import HttpResponse
from channels_app.http.headers import Headers

fixed = settings(derandomize=True, deadline=None, max_examples=200)

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
SPANS = st.timedeltas(timedelta(), timedelta(days=40))
WISHES = st.none() | st.timedeltas(timedelta(), timedelta(days=2))
ATTEMPTS = st.integers(1, 65_535)


def test_no_wait_is_shorter_than_the_one_before():
    waits = [planned_after(attempt) for attempt in range(1, 200)]
    assert all(one <= other for one, other in pairwise(waits))
    assert all(one < other * (1 - JITTER) for one, other in pairwise(waits[:10])), (
        "jitter could turn two of the growing waits round"
    )


@fixed
@given(ATTEMPTS, MOMENTS, SPANS, WISHES)
def test_a_try_is_planned_within_its_wait_and_before_the_deadline_or_not_at_all(
    attempt, ended, left, wish
):
    deadline = ended + left
    due = next_try(attempt, ended_at=ended, deadline=deadline, retry_after=wish)
    latest = max(planned_after(attempt), wish or timedelta())
    earliest = max(planned_after(attempt) * (1 - JITTER), wish or timedelta())
    if due is None:
        assert ended + latest >= deadline, "there was time for a try"
    else:
        assert ended < due < deadline
        assert earliest <= due - ended <= latest
    if ended + earliest >= deadline:
        assert due is None


@fixed
@given(ATTEMPTS, MOMENTS, st.integers(0, 3600))
def test_a_wish_for_a_shorter_wait_than_planned_changes_nothing_of_the_plan(
    attempt, ended, seconds
):
    planned = planned_after(attempt)
    wish = min(timedelta(seconds=seconds), planned * (1 - JITTER))
    far = ended + timedelta(days=9)
    due = next_try(attempt, ended_at=ended, deadline=far, retry_after=wish)
    assert due is not None
    assert planned * (1 - JITTER) <= due - ended <= planned


@fixed
@given(
    MOMENTS,
    st.timedeltas(timedelta(seconds=1), timedelta(days=7)),
    st.lists(st.tuples(st.timedeltas(timedelta(), timedelta(seconds=30)), WISHES), max_size=300),
)
def test_a_delivery_s_tries_follow_each_other_and_end_before_its_deadline(begin, lifetime, ends):
    """``ends``: how long each try takes and what its receiver asks for."""
    deadline = begin + lifetime
    starts, now = [begin], begin
    for number, (took, wish) in enumerate(ends, start=1):
        due = next_try(number, ended_at=now + took, deadline=deadline, retry_after=wish)
        if due is None:
            break
        starts.append(now := due)
    assert all(one < other for one, other in pairwise(starts))
    assert all(start < deadline for start in starts)
    hourly = (lifetime / timedelta(hours=1)) / (1 - JITTER)
    assert len(starts) <= 12 + hourly, "more often than the plan allows"


@fixed
@given(
    ATTEMPTS,
    MOMENTS,
    st.integers(-(10**30), 10**30).map(str)
    | st.text(max_size=40)
    | st.sampled_from(["Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "1e9"]),
)
def test_whatever_a_receiver_asks_for_there_is_an_answer(attempt, ended, header):
    wish = HttpResponse(429, Headers({"Retry-After": header}.items()), b"").retry_after(ended)
    deadline = ended + timedelta(hours=4)
    due = next_try(attempt, ended_at=ended, deadline=deadline, retry_after=wish)
    assert due is None or ended < due < deadline
