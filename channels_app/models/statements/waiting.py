"""What time has brought about, and nobody has written down yet."""

from datetime import datetime
from typing import NamedTuple

from channels_app.models.statements.running import moment, run

# The first of them, not whether there is any: PostgreSQL would walk the table to find one.
_LEFT_BY_TIME = """SELECT
    (SELECT id FROM channels_app_delivery WHERE state = 'sending' AND lease_until < %(now)s
     ORDER BY lease_until LIMIT 1) IS NOT NULL,
    (SELECT id FROM channels_app_delivery WHERE state = 'queued' AND deadline <= %(now)s
     ORDER BY deadline LIMIT 1) IS NOT NULL,
    EXISTS (SELECT 1 FROM channels_app_tally WHERE halted_at IS NOT NULL AND queued > 0)"""


class LeftByTime(NamedTuple):
    """Whether there are rows whose lease is over, with a passed deadline, of a stopped origin."""

    stalled: bool
    overdue: bool
    halted: bool


def left_by_time(now: datetime) -> LeftByTime:
    """Look for it without writing: on SQLite that would keep others from it, each second."""
    ((stalled, overdue, halted),) = run(_LEFT_BY_TIME, now=moment(now))
    return LeftByTime(bool(stalled), bool(overdue), bool(halted))
