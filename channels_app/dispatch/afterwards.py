"""What a far end says of a delivery afterwards, by another way than its answer."""

from collections import Counter
from datetime import datetime

from django.db import transaction

from channels_app.dispatch.settle import shift_tallies
from channels_app.models import Delivery, State


def fail(pk: int, *, was: State, reason: str, now: datetime) -> bool:
    """Call a delivery failed; False where it is not (any more) in the state that it was in."""
    with transaction.atomic():
        as_seen = Delivery.objects.filter(pk=pk, state=was)
        if not as_seen.update(state=State.FAILED, reason=reason[:200], settled_at=now):
            return False
        origin = Delivery.objects.values_list("origin_kind", "origin_id").get(pk=pk)
        shift_tallies({origin: Counter({was: -1, State.FAILED: 1})})
    return True
