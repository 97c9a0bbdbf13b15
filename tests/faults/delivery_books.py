"""What must hold of deliveries, attempts and tallies, whatever was done to them."""

from collections import Counter, defaultdict
from datetime import datetime
from typing import Any, NamedTuple

from channels_app.models import Attempt, Channel, Delivery, State, Tally
from channels_app.models.delivery import OPEN

Origin = tuple[str, int]


class Seen(NamedTuple):
    """A row as it was found."""

    pk: int
    origin: Origin
    state: str
    attempt_count: int
    due_at: datetime
    deadline: datetime
    ordering_key: str
    lease_until: datetime | None
    holder: str

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


def look(channel: Channel) -> dict[int, Seen]:
    """Read all of the channel's rows anew."""
    rows = Delivery.objects.filter(channel=channel).order_by("pk")
    return {
        row.pk: Seen(
            row.pk,
            (row.origin_kind, row.origin_id),
            row.state,
            row.attempt_count,
            row.due_at,
            row.deadline,
            row.ordering_key,
            row.lease_until,
            row.holder,
        )
        for row in rows
    }


def check_tallies(channel: Channel, rows: dict[int, Seen]) -> None:
    """Each origin's tally is the count of its rows in each state."""
    counted: dict[Origin, Counter[str]] = defaultdict(Counter)
    for row in rows.values():
        counted[row.origin][row.state] += 1
    for tally in Tally.objects.filter(tenant=channel.tenant_id):
        origin = (tally.origin_kind, tally.origin_id)
        kept = {state: count for state, count in tally.states.items() if count}
        assert kept == dict(counted.pop(origin, {})), f"the books of {origin} do not balance"
    assert not counted, "deliveries without books"


def check_leases(rows: dict[int, Seen]) -> None:
    """What is under way has a lease and a holder, nothing else has either."""
    for row in rows.values():
        sending = row.state == State.SENDING
        assert (row.lease_until is not None) is sending, row
        assert bool(row.holder) is sending, row


def check_attempts(
    channel: Channel, rows: dict[int, Seen], written: dict[tuple[int, int], Any]
) -> None:
    """Each try that has ended is written once, from 1 on without a gap, and never changed.

    ``written`` holds what was found by earlier calls, and is added to.
    """
    found: dict[tuple[int, int], Any] = {}
    for values in Attempt.objects.filter(delivery__channel=channel).values():
        key = values["delivery_id"], values["number"]
        assert key not in found, "a try was written twice"
        found[key] = values
    for key, values in written.items():
        assert found.get(key) == values, "a written attempt was changed, or is gone"
    numbers: dict[int, list[int]] = defaultdict(list)
    for pk, number in sorted(found):
        numbers[pk].append(number)
    for row in rows.values():
        ended = row.attempt_count - (row.state == State.SENDING)
        assert numbers[row.pk] == list(range(1, ended + 1)), row
    written.update(found)
