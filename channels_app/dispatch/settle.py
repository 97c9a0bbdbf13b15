"""Settling: attempts, states and tallies of many tries in one transaction."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from channels_app.connectors.base import SteppedConnector, Verdict
from channels_app.dispatch.results import Result, try_of
from channels_app.dispatch.retry import next_try
from channels_app.models import Delivery, Outcome, State, Tally, statements
from channels_app.models.statements import Origin, Try, moment
from channels_app.signals import origin_settled

# As plain text: for a choice, sqlite3 looks for an adapter each time.
_WORDS: dict[State | Outcome, str] = {one: one.value for one in (*State, *Outcome)}
_LEADS_TO = {Outcome.ACCEPTED: State.SENT, Outcome.REJECTED: State.FAILED}  # else: tried again


def settle(results: Sequence[Result], *, now: datetime) -> int:
    """Write down what these tries came to, and return how many rows were still their holder's.

    A row whose lease ended meanwhile was given back and has its ``unknown`` attempt already;
    what came of it late is left out, for a written attempt is never changed.
    """
    at = moment(now)
    tries = [_try(result, at) for result in results]
    steps = [result for result in results if result.step is not None]
    if steps:
        with transaction.atomic():
            told = _by_connector(steps)
            for connector, some in told.items():
                connector.settling(some)
            written, ended = statements.settle(tries)
            for connector, some in told.items():
                connector.settled(some)
    else:
        written, ended = statements.settle(tries)
    _announce(ended)
    return written


def _by_connector(
    results: Sequence[Result],
) -> dict[SteppedConnector, list[tuple[Delivery, Verdict]]]:
    told: dict[SteppedConnector, list[tuple[Delivery, Verdict]]] = defaultdict(list)
    for result in results:
        if result.step is not None:
            told[result.step.connector].append((result.delivery, result.step.verdict))
    return told


def hand_back(deliveries: Sequence[Delivery], *, holder: str) -> None:
    """Return to the queue what was claimed and has certainly not left: no try was made."""
    with transaction.atomic():
        held = _held(deliveries, holder)
        ours = [delivery for delivery in deliveries if try_of(delivery) in held]
        Delivery.objects.filter(pk__in=[delivery.pk for delivery in ours]).update(
            state=State.QUEUED,
            attempt_count=F("attempt_count") - 1,
            lease_until=None,
            holder="",
        )
        moves: dict[Origin, Counter[str]] = defaultdict(Counter)
        for delivery in ours:
            moves[_origin(delivery)].update({State.SENDING: -1, State.QUEUED: 1})
        shift_tallies(moves)


def _held(deliveries: Sequence[Delivery], holder: str) -> set[int]:
    """Lock those of these tries that are still the holder's; a later try of a row is another."""
    rows = (
        Delivery.objects.filter(
            pk__in=[delivery.pk for delivery in deliveries], holder=holder, state=State.SENDING
        )
        .select_for_update(of=("self",))
        .only("pk", "attempt_count")
    )
    return {try_of(row) for row in rows}


def shift_tallies(moves: Mapping[Origin, Mapping[str, int]]) -> None:
    """Move the tallies; tell the floors above what has nothing open any more, after the commit."""
    _announce(statements.shift(moves))


def _announce(ended: Sequence[Origin]) -> None:
    def tell() -> None:
        for kind, pk in ended:
            origin_settled.send(sender=Tally, kind=kind, pk=pk)

    if ended:
        transaction.on_commit(tell)


def _origin(delivery: Delivery) -> Origin:
    return delivery.origin_kind, delivery.origin_id


def _try(result: Result, settled_at: str) -> Try:
    delivery = result.delivery
    onward = result.onward is not None
    state = State.QUEUED if onward else _LEADS_TO.get(result.outcome, State.QUEUED)
    next_at = _next_at(result)
    # With no try left, the row waits for its deadline, at which it expires.
    due_at = (next_at or delivery.deadline) if state is State.QUEUED else None
    # Not Try(...), which makes two dicts.
    return {
        "delivery_id": delivery.id,
        "number": delivery.attempt_count,
        "holder": delivery.holder,
        "state": _WORDS[state],
        "due_at": moment(due_at) if due_at else None,
        "settled_at": None if state is State.QUEUED else settled_at,
        "reason": result.error,
        "vendor_id": result.vendor_id,
        "started_at": moment(result.started_at),
        "duration": result.duration,
        "outcome": _WORDS[result.outcome],
        "status": result.status,
        "error": result.error,
        "answer": result.answer,
        "next_at": moment(next_at) if next_at else None,
    }


def _next_at(result: Result) -> datetime | None:
    if result.onward is not None:
        ended = result.started_at + timedelta(seconds=result.duration or 0)
        due = ended + result.onward
        return due if due < result.delivery.deadline else None
    if result.outcome in (Outcome.ACCEPTED, Outcome.REJECTED):
        return None
    return next_try(
        result.delivery.attempt_count,
        ended_at=result.started_at + timedelta(seconds=result.duration or 0),
        deadline=result.delivery.deadline,
        retry_after=result.retry_after,
    )
