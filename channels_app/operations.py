"""What an operator does to a delivery: try again, take back, send once more.

Each deed is one transaction around one conditional UPDATE, so that it and the engine never both
take a row; where the engine was faster, the deed is refused and nothing has changed. The rows are
locked before the tally, as everywhere.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from django.db import transaction
from django.utils import timezone

from channels_app.dispatch.settle import shift_tallies
from channels_app.models import Delivery, State, Tally
from channels_app.models.delivery import OPEN
from channels_app.services import enqueue, open_books
from channels_app.tasks import wake
from project.access.audit import Actor, record
from project.access.models import Tenant

REPLAY = "replay"  # Delivery.origin_kind of a replay; its origin_id is the original's id
Deed: TypeAlias = Literal["retry", "cancel", "replay"]
AT_ONCE = 500  # deliveries that one bulk deed takes

BUSY = "It is being sent right now."
ENDED_WELL = "The channel has taken it already."
NO_CONSENT = "The recipient has opted out."
NEVER_MADE = "It has no message or no address that could be sent."
STOPPED = "Its notification was stopped."
CHANGED = "It has changed meanwhile; look again."


class NotPossible(Exception):
    """The deed does not fit the delivery as it is. The message says why, for people."""


def retry_problem(delivery: Delivery, now: datetime) -> str:
    """Say why this delivery can't be tried again now; empty when it can."""
    match delivery.state:
        case State.SENDING:
            return BUSY
        case State.SENT | State.DELIVERED:
            return ENDED_WELL
        case State.SUPPRESSED:
            return NO_CONSENT
        case State.QUEUED if delivery.due_at <= now < delivery.deadline:
            return "It is due already."
    return "" if _is_whole(delivery) else NEVER_MADE


def cancel_problem(delivery: Delivery, now: datetime) -> str:
    """Say why this delivery can't be taken back; empty when it can."""
    if delivery.state == State.SENDING:
        return BUSY
    return "" if delivery.state == State.QUEUED else "It has ended already."


def replay_problem(delivery: Delivery, now: datetime) -> str:
    """Say why this delivery can't be sent once more; empty when it can."""
    match delivery.state:
        case State.QUEUED | State.SENDING:
            return "It is still under way."
        case State.SUPPRESSED:
            return NO_CONSENT
        case State.CANCELLED:
            return "It was cancelled and never went out; retry it instead."
    return "" if _is_whole(delivery) else NEVER_MADE


def retry_delivery(delivery: Delivery, *, by: Actor) -> Delivery:
    """Make it due now. Raises NotPossible.

    What waits for its next try keeps its deadline. What had ended is queued again with a fresh
    one; its attempts stay and their count goes on.
    """
    with transaction.atomic():
        row = _retry(delivery.pk, by=by, now=timezone.now())
        transaction.on_commit(wake)
    return row


def cancel_delivery(delivery: Delivery, *, by: Actor) -> Delivery:
    """Take back what still waits in the queue. Raises NotPossible."""
    with transaction.atomic():
        row = _cancel(delivery.pk, by=by, now=timezone.now())
        transaction.on_commit(wake)
    return row


def replay_delivery(delivery: Delivery, *, by: Actor) -> tuple[Delivery, bool]:
    """Send the same message once more, as a delivery of its own. Raises NotPossible.

    Returns the replay and whether it was made now: while one is open, it is the answer to any
    further call. Its ``recipient_id`` stays empty, since the constraint ``delivery_once`` lets an
    origin reach a person once and one may be sent a replay more often; ``recipient`` names them.
    """
    with transaction.atomic():
        replay, made = _replay(delivery.pk, by=by, now=timezone.now())
        if made:
            transaction.on_commit(wake)
    return replay, made


def replays_of(delivery: Delivery) -> list[Delivery]:
    """The replays of a delivery, oldest first."""
    rows = Delivery.objects.of_origin(REPLAY, delivery.pk).select_related("channel")
    return list(rows.order_by("pk"))


@dataclass(slots=True)
class Tallied:
    """What came of a deed done to many: how many, and the reasons for the rest."""

    done: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def do_to_many(deed: Deed, pks: Collection[int], *, tenant: Tenant, by: Actor) -> Tallied:
    """Do a deed to each of these deliveries of the tenant, one after another.

    Each is a transaction of its own: in a common one, the locks held on rows and tallies would
    stop the engine, or meet its locks in a ring.
    """
    if len(pks) > AT_ONCE:
        raise ValueError(f"More than {AT_ONCE} deliveries at once.")
    known = Delivery.objects.of(tenant).filter(pk__in=pks).order_by("pk")
    result = Tallied()
    for pk in known.values_list("pk", flat=True):
        try:
            with transaction.atomic():
                done = _do(deed, pk, by)
        except NotPossible as problem:
            result.refused[str(problem)] += 1
        else:
            if done:
                result.done += 1
            else:
                result.refused["A replay of it is under way already."] += 1
    missing = len(set(pks)) - result.done - result.refused.total()
    if missing:
        result.refused["It is not in this log."] += missing
    if result.done:
        wake()
    return result


def _do(deed: Deed, pk: int, by: Actor) -> bool:
    """Do it without waking the engine; False when it was done before."""
    now = timezone.now()
    match deed:
        case "retry":
            _retry(pk, by=by, now=now)
        case "cancel":
            _cancel(pk, by=by, now=now)
        case "replay":
            return _replay(pk, by=by, now=now)[1]
    return True


def _retry(pk: int, *, by: Actor, now: datetime) -> Delivery:
    row = _look(pk)
    _refuse(retry_problem(row, now))
    if Tally.objects.filter(
        origin_kind=row.origin_kind, origin_id=row.origin_id, halted_at__isnull=False
    ).exists():
        raise NotPossible(STOPPED)
    before = State(row.state)
    changes: dict[str, object] = {"due_at": now}
    if before != State.QUEUED or row.deadline <= now:
        changes |= {"deadline": now + row.channel.lifetime, "reason": "", "settled_at": None}
    _move(row, State.QUEUED, changes)
    _note(row, "delivery.retry", by, was=before)
    _shift(row, before, State.QUEUED)
    return row


def _cancel(pk: int, *, by: Actor, now: datetime) -> Delivery:
    row = _look(pk)
    _refuse(cancel_problem(row, now))
    reason = f"Cancelled by {by.name}."[:200]
    _move(row, State.CANCELLED, {"settled_at": now, "reason": reason})
    _note(row, "delivery.cancel", by)
    _shift(row, State.QUEUED, State.CANCELLED)
    return row


def _replay(pk: int, *, by: Actor, now: datetime) -> tuple[Delivery, bool]:
    # The original's lock makes two clicks take turns: the second one finds the first one's row.
    row = _look(pk, lock=True)
    _refuse(replay_problem(row, now))
    under_way = Delivery.objects.of_origin(REPLAY, row.pk).filter(state__in=OPEN)
    if replay := under_way.select_related("channel").first():
        return replay, False
    replay = Delivery(
        tenant_id=row.tenant_id,
        channel=row.channel,
        origin_kind=REPLAY,
        origin_id=row.pk,
        recipient=row.recipient,
        address=row.address,
        payload=row.payload,
        priority=row.priority,
        ordering_key=row.ordering_key,
        due_at=now,
        deadline=now + row.channel.lifetime,
        created_at=now,
    )
    open_books(row.tenant, REPLAY, row.pk)
    enqueue([replay], kind=REPLAY, pk=row.pk)
    _note(row, "delivery.replay", by, replay=replay.pk)
    return replay, True


def _is_whole(delivery: Delivery) -> bool:
    """False where expansion found no address, or could not fill in the message."""
    return bool(delivery.address and delivery.payload)


def _look(pk: int, *, lock: bool = False) -> Delivery:
    rows = Delivery.objects.select_related("channel", "tenant")
    return (rows.select_for_update(of=("self",)) if lock else rows).get(pk=pk)


def _refuse(problem: str) -> None:
    if problem:
        raise NotPossible(problem)


def _move(row: Delivery, to: State, changes: dict[str, object]) -> None:
    """Change the row if it still is as it was looked at; else raise NotPossible."""
    as_seen = Delivery.objects.filter(
        pk=row.pk, state=row.state, attempt_count=row.attempt_count, due_at=row.due_at
    )
    changes = {"state": to, **changes}
    if as_seen.update(**changes) != 1:
        raise NotPossible(CHANGED)
    for name, value in changes.items():
        setattr(row, name, value)


def _note(row: Delivery, action: str, by: Actor, **details: object) -> None:
    record(by, action, tenant=row.tenant, target=row, **details)


def _shift(row: Delivery, before: State, after: State) -> None:
    if before != after:
        shift_tallies({(row.origin_kind, row.origin_id): Counter({before: -1, after: 1})})
