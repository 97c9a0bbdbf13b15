"""Moving tallies."""

from collections.abc import Mapping

from channels_app.models.delivery import State
from channels_app.models.statements.running import on_postgres, run, shape_of

Origin = tuple[str, int]

_BY = {state.value: f"{state}_by" for state in State}
_SHAPE = shape_of({"kind": "text", "origin": "bigint"} | dict.fromkeys(_BY.values(), "integer"))
_LOCK = """
SELECT 1 FROM channels_app_tally tally
JOIN {rows} t ON tally.origin_kind = t.kind AND tally.origin_id = t.origin
ORDER BY tally.origin_kind, tally.origin_id FOR NO KEY UPDATE OF tally"""
_SHIFT = f"""
UPDATE channels_app_tally SET {", ".join(f"{state} = {state} + t.{state}_by" for state in State)}
FROM {{rows}} t WHERE origin_kind = t.kind AND origin_id = t.origin
RETURNING origin_kind, origin_id, queued + sending"""


def shift(moves: Mapping[Origin, Mapping[str, int]]) -> list[Origin]:
    """Add these differences to the tallies; returns which of them have nothing open now.

    Runs inside the transaction that moves the rows. Many tallies are locked in one order, so that
    two workers never wait in a ring.
    """
    rows = [
        {"kind": kind, "origin": pk, **{name: by.get(state, 0) for state, name in _BY.items()}}
        for (kind, pk), by in moves.items()
        if any(by.values())
    ]
    if not rows:
        return []
    if len(rows) > 1 and on_postgres():
        run(_LOCK, _SHAPE, rows)
    found = run(_SHIFT, _SHAPE, rows)
    return [(kind, pk) for kind, pk, left in found if left == 0]
