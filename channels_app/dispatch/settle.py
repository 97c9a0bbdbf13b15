"""Settling: attempts, states and tallies of many tries in one transaction."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from channels_app.dispatch.results import Result, try_of
from channels_app.dispatch.retry import next_try
from channels_app.models import Attempt, Delivery, Outcome, State, Tally
from channels_app.signals import origin_settled

Origin = tuple[str, int]
SETTLED_FIELDS = ["state", "due_at", "settled_at", "reason", "vendor_id", "lease_until", "holder"]


def settle(results: Sequence[Result], *, holder: str, now: datetime) -> int:
    """Write down what these tries came to, and return how many rows were still ours.

    A row whose lease ended meanwhile was given back and has its ``unknown`` attempt already;
    what came of it late is left out, for a written attempt is never changed.
    """
    with transaction.atomic():
        held = _held([result.delivery for result in results], holder)
        ours = [result for result in results if try_of(result.delivery) in held]
        write(ours, now=now)
    return len(ours)


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
            origin = (delivery.origin_kind, delivery.origin_id)
            moves[origin].update({State.SENDING: -1, State.QUEUED: 1})
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


def write(results: Sequence[Result], *, now: datetime) -> None:
    """Move rows that are ``sending`` to where their tries lead; inside a transaction."""
    attempts: list[Attempt] = []
    moves: dict[Origin, Counter[str]] = defaultdict(Counter)
    alike: dict[tuple[State, str], list[int]] = defaultdict(list)
    apart: list[Delivery] = []  # rows that get values of their own
    for result in results:
        delivery = result.delivery
        next_at = _next_at(result)
        attempts.append(_attempt(result, next_at))
        match result.outcome:
            case Outcome.ACCEPTED:
                state = State.SENT
            case Outcome.REJECTED:
                state = State.FAILED
            case _:
                state = State.QUEUED
        if state is State.QUEUED:
            # With no try left, the row waits for its deadline, at which it expires.
            _fill(delivery, state, due_at=next_at or delivery.deadline, reason=result.error)
            apart.append(delivery)
        elif result.vendor_id:
            _fill(delivery, state, settled_at=now, vendor_id=result.vendor_id, reason="")
            apart.append(delivery)
        else:
            alike[state, result.error].append(delivery.pk)
        origin = (delivery.origin_kind, delivery.origin_id)
        moves[origin][State.SENDING] -= 1
        moves[origin][state] += 1
    Attempt.objects.bulk_create(attempts, batch_size=1000)
    for (state, reason), pks in alike.items():
        Delivery.objects.filter(pk__in=pks).update(
            state=state, reason=reason, settled_at=now, lease_until=None, holder=""
        )
    if apart:
        Delivery.objects.bulk_update(apart, SETTLED_FIELDS, batch_size=200)
    shift_tallies(moves)


def shift_tallies(moves: dict[Origin, Counter[str]]) -> None:
    """Move the tallies, always in the same order so that two workers never wait in a ring."""
    for (kind, pk), changes in sorted(moves.items()):
        Tally.objects.shift(kind, pk, changes)
    transaction.on_commit(lambda: announce_settled(moves))


def announce_settled(origins: Iterable[Origin]) -> None:
    """Tell the floors above which of these origins have nothing open any more."""
    by_kind: dict[str, list[int]] = defaultdict(list)
    for kind, pk in origins:
        by_kind[kind].append(pk)
    for kind, pks in by_kind.items():
        for pk in Tally.objects.settled(kind, pks):
            origin_settled.send(sender=Tally, kind=kind, pk=pk)


def _fill(delivery: Delivery, state: State, **values: Any) -> None:
    for name, value in {"state": state, "lease_until": None, "holder": "", **values}.items():
        setattr(delivery, name, value)


def _attempt(result: Result, next_at: datetime | None) -> Attempt:
    return Attempt(
        delivery=result.delivery,
        number=result.delivery.attempt_count,
        started_at=result.started_at,
        duration=result.duration,
        outcome=result.outcome,
        status=result.status,
        error=result.error,
        answer=result.answer,
        next_at=next_at,
    )


def _next_at(result: Result) -> datetime | None:
    if result.outcome in (Outcome.ACCEPTED, Outcome.REJECTED):
        return None
    return next_try(
        result.delivery.attempt_count,
        ended_at=result.started_at + timedelta(seconds=result.duration or 0),
        deadline=result.delivery.deadline,
        retry_after=result.retry_after,
    )
