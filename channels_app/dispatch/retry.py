"""The retry plan: when the next try of a delivery is due."""

import random
from datetime import datetime, timedelta

# After the tenth failure the last step repeats up to the deadline.
STEPS = tuple(
    timedelta(seconds=seconds) for seconds in (5, 15, 45, 120, 300, 600, 1200, 1800, 2700, 3600)
)
# Share of a step by which a try may come early, so that what failed together spreads out. Never
# later than planned: a plan is a promise.
JITTER = 0.1
# A delivery whose worker was lost so many times in a row, without an end of any try, is given up:
# it may be what ends them.
MOST_CUT_OFF = 5


def planned_after(attempt: int) -> timedelta:
    """Return the wait after try number ``attempt`` (from 1) failed, before jitter."""
    return STEPS[min(attempt, len(STEPS)) - 1]


def next_try(
    attempt: int, *, ended_at: datetime, deadline: datetime, retry_after: timedelta | None = None
) -> datetime | None:
    """Return when to try again after try number ``attempt``, or None: not before the deadline.

    ``retry_after`` is what the far end asked for; it can only put the next try off.
    """
    wait = planned_after(attempt) * (1 - JITTER * random.random())  # noqa: S311 - spreads load
    if retry_after is not None:
        wait = max(wait, retry_after)
    due = ended_at + wait
    return due if due < deadline else None
