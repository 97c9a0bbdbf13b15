"""Taking due deliveries."""

import json
from collections import Counter
from datetime import datetime
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS
from django.db.models.base import ModelState

from channels_app.models.delivery import Delivery, Priority, State
from channels_app.models.statements.books import shift
from channels_app.models.statements.running import Row, in_utc, moment, on_postgres, run, together

_DUE = """d.channel_id = {channel} AND d.state = 'queued' AND d.priority = {priority}
        AND d.attempt_count {tries} AND d.due_at <= %(now)s AND d.deadline > %(now)s"""
# Nothing of a stopped origin goes out, and nothing before what has its key and is earlier. Each is
# asked row by row, hence the CASE: joined to the tallies, PostgreSQL expects hardly a row to be
# left, and reads and sorts all that is due to find them.
_MAY_GO = """(d.ordering_key = '' OR NOT EXISTS (
            SELECT 1 FROM channels_app_delivery earlier
            WHERE earlier.channel_id = d.channel_id AND earlier.ordering_key = d.ordering_key
              AND earlier.ordering_key <> '' AND earlier.state IN ('queued', 'sending')
              AND earlier.id < d.id))
        AND CASE WHEN EXISTS (
            SELECT 1 FROM channels_app_tally stopped
            WHERE stopped.origin_kind = d.origin_kind AND stopped.origin_id = d.origin_id
              AND stopped.halted_at IS NOT NULL AND stopped.queued > 0) THEN FALSE ELSE TRUE END"""
# What sending needs; the rest is known from the claim itself, or read when somebody asks.
_NEEDED = (
    "id",
    "attempt_count",
    "priority",
    "due_at",
    "deadline",
    "created_at",
    "payload",
    "tenant_id",
    "origin_kind",
    "origin_id",
    "recipient_id",
    "recipient",
    "address",
)
# Without its declared type, which would have each moment read in three steps of Python.
_MOMENTS = {"due_at", "deadline", "created_at"}


def _picking() -> tuple[str, str]:
    """Word what is to be taken: the parts, and the ids from all of them.

    Priority by priority, first the retries' share, then first tries. Each part reads the due end
    of one index and no more; together, in one order over all priorities, they would walk past
    every row that waits for its next try.
    """
    parts: list[str] = []
    names: list[str] = []
    for tries, most in (("> 0", "%(retries)s"), ("= 0", "%(room)s")):
        for priority in Priority.values:
            name = f"part{len(parts)}"
            rest = "".join(f" - (SELECT count(*) FROM {part})" for part in names)
            due = _DUE.format(channel="%(channel)s", priority=priority, tries=tries)
            parts.append(
                f"""{name} AS (
    SELECT d.id, d.origin_kind, d.origin_id FROM channels_app_delivery d
    WHERE {due}
        AND (SELECT c.is_active FROM channels_app_channel c WHERE c.id = %(channel)s)
        AND {_MAY_GO}
    ORDER BY d.due_at, d.id LIMIT {most}{rest} {{lock}}
)"""
            )
            names.append(name)
    return ", ".join(parts), " UNION ALL ".join(f"SELECT * FROM {name}" for name in names)


_PARTS, _PICKED = _picking()
_TAKEN = """SET state = 'sending', attempt_count = attempt_count + 1, claimed_at = %(now)s,
    lease_until = %(lease_until)s, holder = %(holder)s"""
# Or fail: what would undo half of the statement is kept on disk else, and an error here undoes the
# whole transaction anyway.
_ON_SQLITE = f"""
WITH {_PARTS}
UPDATE OR FAIL channels_app_delivery {_TAKEN} WHERE id IN (SELECT id FROM ({_PICKED}))
RETURNING {", ".join(f"{name} || ''" if name in _MOMENTS else name for name in _NEEDED)}"""
# The tallies are locked before anything is taken: a stop that committed while this waited for one
# is seen then, and its rows are left.
_ON_POSTGRES = f"""
WITH {_PARTS},
picked AS ({_PICKED}),
books AS MATERIALIZED (
    SELECT tally.id, tally.origin_kind, tally.origin_id FROM channels_app_tally tally
    WHERE (tally.origin_kind, tally.origin_id) IN (SELECT origin_kind, origin_id FROM picked)
        AND tally.halted_at IS NULL
    ORDER BY tally.origin_kind, tally.origin_id FOR NO KEY UPDATE OF tally
),
taken AS (
    UPDATE channels_app_delivery AS d {_TAKEN}
    FROM picked JOIN books USING (origin_kind, origin_id) WHERE d.id = picked.id
    RETURNING {", ".join(f"d.{name}" for name in _NEEDED)}
),
moved AS (SELECT origin_kind, origin_id, count(*) AS by FROM taken GROUP BY 1, 2),
shifted AS (
    UPDATE channels_app_tally tally
    SET queued = tally.queued - moved.by, sending = tally.sending + moved.by
    FROM moved JOIN books USING (origin_kind, origin_id) WHERE tally.id = books.id
)
SELECT * FROM taken"""


def claim(
    channel: int,
    *,
    room: int,
    retries: int,
    now: datetime,
    lease_until: datetime,
    holder: str,
) -> list[Delivery]:
    """Take up to ``room`` due rows of a channel for ``holder``; each row goes to one taker only.

    Up to ``retries`` of them are retries, which come first in the list. The attempt is counted
    here, before anything goes out, so that a row which kills its worker every time runs out of
    attempts. The tallies move along.
    """
    with together():
        rows = run(
            _ON_POSTGRES if on_postgres() else _ON_SQLITE,
            channel=channel,
            room=room,
            retries=min(room, max(0, retries)),
            now=moment(now),
            lease_until=moment(lease_until),
            holder=holder,
        )
        known = dict.fromkeys(_NEEDED) | {
            "channel_id": channel,
            "state": State.SENDING,
            "claimed_at": now,
            "lease_until": lease_until,
            "holder": holder,
        }
        taken = [_delivery(row, known) for row in rows]
        if taken and not on_postgres():
            by_origin = Counter([(row.origin_kind, row.origin_id) for row in taken])
            shift(
                {
                    origin: {State.QUEUED: -count, State.SENDING: count}
                    for origin, count in by_origin.items()
                }
            )
    taken.sort(key=lambda row: (row.attempt_count == 1, row.priority, row.due_at, row.id))
    return taken


def _delivery(row: Row, known: dict[str, Any]) -> Delivery:
    """Make the instance by hand: Model.__init__ takes as long as the whole of sending it.

    ``known`` has a place for all of it: a dict that grows is made several times.
    """
    delivery = Delivery.__new__(Delivery)
    delivery.__dict__ = values = known.copy()
    values.update(zip(_NEEDED, row, strict=True))
    if not on_postgres():  # PostgreSQL's binary gives these by itself
        values["payload"] = _read_json(values["payload"].lstrip())[0]
        for name in _MOMENTS:
            values[name] = in_utc(values[name])
    values["_state"] = state = ModelState()
    state.adding, state.db = False, DEFAULT_DB_ALIAS
    return delivery


_read_json = json.JSONDecoder().raw_decode  # it takes no space before, and ignores what follows


# --- whose turn it is ---------------------------------------------------------------------------


def _something_due() -> str:
    # The first of them, not whether there is any: PostgreSQL would walk the table to find one.
    return " OR ".join(
        "(SELECT d.id FROM channels_app_delivery d WHERE "
        f"{_DUE.format(channel='c.id', priority=priority, tries=tries)}"
        " ORDER BY d.due_at, d.id LIMIT 1) IS NOT NULL"
        for tries in ("= 0", "> 0")
        for priority in Priority.values
    )


_CHANNELS_DUE = f"""
SELECT c.id, c.updated_at, c.paused_since IS NOT NULL FROM channels_app_channel c
WHERE c.is_active AND (c.paused_until IS NULL OR c.paused_until <= %(now)s)
    AND ({_something_due()})"""


class Due(NamedTuple):
    """A channel that has something to claim: when it was changed last, and whether it is paused."""

    changed_at: datetime
    is_paused: bool


def channels_due(now: datetime) -> dict[int, Due]:
    """Active channels with something to claim; a paused one where its next probe may leave."""
    rows = run(_CHANNELS_DUE, now=moment(now))
    return {pk: Due(in_utc(changed_at), bool(paused)) for pk, changed_at, paused in rows}
