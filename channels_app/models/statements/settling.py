"""Writing down what tries came to."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TypedDict

from channels_app.models.delivery import State
from channels_app.models.statements.books import Origin, shift
from channels_app.models.statements.running import (
    on_postgres,
    run,
    run_each,
    shape_of,
    together,
)


class Try(TypedDict):
    """One try as it ended: whose it was, where its row goes, what the log keeps of it.

    Moments are worded by `moment`. Without a ``due_at`` the row keeps its own; so it does with an
    empty ``vendor_id``.
    """

    delivery_id: int
    number: int
    holder: str
    state: str
    due_at: str | None
    settled_at: str | None
    reason: str
    vendor_id: str
    started_at: str
    duration: float | None
    outcome: str
    status: int | None
    error: str
    answer: str
    next_at: str | None


_COLUMNS = {
    "delivery_id": "bigint",
    "number": "integer",
    "holder": "text",
    "state": "text",
    "due_at": "timestamptz",
    "settled_at": "timestamptz",
    "reason": "text",
    "vendor_id": "text",
    "started_at": "timestamptz",
    "duration": "double precision",
    "outcome": "text",
    "status": "integer",
    "error": "text",
    "answer": "text",
    "next_at": "timestamptz",
}
_SHAPE = shape_of(_COLUMNS)
_MOVE = """UPDATE channels_app_delivery AS d
SET state = {state}, reason = {reason}, settled_at = {settled_at}, lease_until = NULL, holder = '',
    due_at = coalesce({due_at}, d.due_at),
    vendor_id = CASE {vendor_id} WHEN '' THEN d.vendor_id ELSE {vendor_id} END"""
_ATTEMPT = "delivery_id, number, started_at, duration, outcome, status, error, answer, next_at"
_NOTE = f"INSERT INTO channels_app_attempt ({_ATTEMPT})"
# Where a try can lead.
_ENDS = (State.SENT, State.FAILED, State.QUEUED)
_ON_POSTGRES = f"""
WITH tries AS MATERIALIZED (SELECT * FROM {{rows}} t),
moved AS (
    {_MOVE.format_map({name: f"t.{name}" for name in _COLUMNS})}
    FROM tries t
    WHERE d.id = t.delivery_id AND d.attempt_count = t.number AND d.holder = t.holder
        AND d.state = 'sending'
    RETURNING d.id, d.attempt_count, d.origin_kind, d.origin_id, d.state
),
noted AS (
    {_NOTE} SELECT {_ATTEMPT} FROM tries
    JOIN moved ON moved.id = delivery_id AND moved.attempt_count = number
),
sums AS (
    SELECT origin_kind, origin_id, count(*) AS sending,
        {", ".join(f"count(*) FILTER (WHERE state = '{end}') AS {end}" for end in _ENDS)}
    FROM moved GROUP BY 1, 2
),
locked AS (
    SELECT tally.id, sums.* FROM channels_app_tally tally
    JOIN sums ON tally.origin_kind = sums.origin_kind AND tally.origin_id = sums.origin_id
    ORDER BY tally.origin_kind, tally.origin_id FOR NO KEY UPDATE OF tally
),
shifted AS (
    UPDATE channels_app_tally tally SET sending = tally.sending - locked.sending,
        {", ".join(f"{end} = tally.{end} + locked.{end}" for end in _ENDS)}
    FROM locked WHERE tally.id = locked.id
    RETURNING tally.origin_kind, tally.origin_id, tally.queued + tally.sending AS left_open
)
SELECT (SELECT count(*) FROM moved), origin_kind, origin_id
FROM (SELECT 1) one LEFT JOIN shifted ON left_open = 0"""
# Row by row: to take them out of one JSON text costs SQLite as much as moving them.
_HELD = """SELECT id, attempt_count, holder, origin_kind, origin_id FROM channels_app_delivery
WHERE id IN (SELECT value FROM json_each(%(ids)s)) AND state = 'sending'"""
_MOVE_ONE = (
    _MOVE.format_map({name: f"%({name})s" for name in _COLUMNS}) + " WHERE id = %(delivery_id)s"
)
_NOTE_ONE = f"{_NOTE} VALUES ({', '.join(f'%({name})s' for name in _ATTEMPT.split(', '))})"


def settle(tries: Sequence[Try]) -> tuple[int, list[Origin]]:
    """Move the rows that are still under these tries, with their attempts and the tallies.

    Returns how many those were, and which origins have nothing open now. A row that was given
    back meanwhile, or is under way again, keeps what was written then.
    """
    if not tries:
        return 0, []
    if on_postgres():
        found = run(_ON_POSTGRES, _SHAPE, tries)
        return found[0][0], [(kind, pk) for _, kind, pk in found if kind is not None]
    with together():
        ids = json.dumps([one["delivery_id"] for one in tries])
        held = {row[:3]: row[3:] for row in run(_HELD, ids=ids)}
        ours: list[Try] = []
        ends: list[tuple[Origin, str]] = []
        for one in tries:
            origin = held.get((one["delivery_id"], one["number"], one["holder"]))
            if origin is not None:
                ours.append(one)
                ends.append((origin, one["state"]))
        run_each(_MOVE_ONE, ours)
        run_each(_NOTE_ONE, ours)
        moves: dict[Origin, Counter[str]] = defaultdict(Counter)
        for (origin, state), count in Counter(ends).items():
            moves[origin].update({State.SENDING: -count, state: count})
        return len(ours), shift(moves)
