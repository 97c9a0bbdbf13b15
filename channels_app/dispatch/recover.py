"""What time alone does to deliveries: leases end, deadlines pass, stops are carried out."""

from collections import Counter, defaultdict
from collections.abc import Collection
from datetime import datetime

from django.db import models, transaction

from channels_app.dispatch.results import cut_off
from channels_app.dispatch.settle import Origin, shift_tallies, write
from channels_app.models import Delivery, State, Tally

BATCH = 500  # rows a transaction, so that no lock is held for long


def give_back(now: datetime, *, in_hand: Collection[int] = ()) -> int:
    """Return rows whose worker is gone to the queue, each with an ``unknown`` attempt.

    ``in_hand``: ids of rows that the caller itself has under way. A caller that stood still for
    longer than its leases knows best that they are not lost.
    """
    with transaction.atomic():
        stalled = Delivery.objects.stalled(now).exclude(pk__in=in_hand).order_by("pk")
        rows = list(stalled.select_for_update(skip_locked=True, of=("self",))[:BATCH])
        write([cut_off(row, "The worker was lost; it may have arrived.") for row in rows], now=now)
    return len(rows)


def expire(now: datetime) -> int:
    """End the queued rows whose deadline has passed."""
    return _end(Delivery.objects.overdue(now), State.EXPIRED, now, "")


def cancel_halted(now: datetime) -> int:
    """Cancel what is still queued of origins that were stopped; returns the rows of this batch."""
    return sum(
        _end(
            Delivery.objects.of_origin(kind, pk).filter(state=State.QUEUED),
            State.CANCELLED,
            now,
            "Stopped.",
        )
        for kind, pk in Tally.objects.halted().values_list("origin_kind", "origin_id")[:20]
    )


def _end(rows: models.QuerySet[Delivery], state: State, now: datetime, reason: str) -> int:
    with transaction.atomic():
        taken = list(
            rows.order_by("pk")
            .select_for_update(skip_locked=True, of=("self",))
            .values_list("pk", "origin_kind", "origin_id")[:BATCH]
        )
        changes: dict[str, object] = {"state": state, "settled_at": now}
        if reason:  # an expired row keeps what its last try met
            changes["reason"] = reason
        Delivery.objects.filter(pk__in=[pk for pk, _, _ in taken]).update(**changes)
        moves: dict[Origin, Counter[str]] = defaultdict(Counter)
        for _, kind, origin in taken:
            moves[kind, origin].update({State.QUEUED: -1, state: 1})
        shift_tallies(moves)
    return len(taken)
