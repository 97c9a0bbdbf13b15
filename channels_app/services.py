"""What the floors above ask of this one: put deliveries in, stop what an origin sends."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction

from channels_app.models import Delivery, Tally
from channels_app.models.bulk_insert import Row, Shared, insert_deliveries
from project.access.models import Tenant


def open_books(tenant: Tenant, kind: str, pk: int) -> Tally:
    """Return the origin's tally, made on first call."""
    tally, _ = Tally.objects.get_or_create(
        origin_kind=kind, origin_id=pk, defaults={"tenant": tenant}
    )
    return tally


def enqueue(deliveries: Sequence[Delivery], *, kind: str, pk: int) -> None:
    """Store deliveries of one origin and count them, in one transaction.

    They may come in any state: an opted-out person's is stored as ``suppressed``. The origin's
    books must be open. Wake the engine afterwards (`channels_app.tasks.wake`).
    """
    with transaction.atomic():
        Delivery.objects.bulk_create(deliveries, batch_size=1000)
        states = Counter(str(delivery.state) for delivery in deliveries)
        Tally.objects.shift(kind, pk, states)


def enqueue_rows(shared: Shared, rows: Iterable[Row]) -> None:
    """Do as `enqueue` does, for many: the rows are plain values and get no objects.

    ``rows`` may be made while they are stored. An error undoes the caller's transaction as well,
    if there is one: a savepoint would have SQLite keep each page as it was before.
    """
    with transaction.atomic(savepoint=False):
        states = insert_deliveries(shared, rows)
        Tally.objects.shift(shared.origin_kind, shared.origin_id, states)


def halt(kind: str, pk: int, now: datetime) -> None:
    """Stop an origin: from this commit on nothing more of it is claimed.

    Rows still queued become ``cancelled`` in batches (dispatch/recover.py); what is under way
    ends as it ends.
    """
    Tally.objects.filter(origin_kind=kind, origin_id=pk, halted_at=None).update(halted_at=now)
