"""What time alone does to deliveries: leases end, deadlines pass, stops are carried out."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import groupby, takewhile
from operator import itemgetter

from django.db import models, transaction

from channels_app.dispatch.results import Result, cut_off
from channels_app.dispatch.retry import MOST_CUT_OFF
from channels_app.dispatch.settle import settle, shift_tallies
from channels_app.models import Attempt, Channel, Delivery, Outcome, State, Tally
from channels_app.models.statements import Origin

BATCH = 500  # rows a transaction, so that no lock is held for long
LOST = "The worker was lost; it may have arrived."
GIVEN_UP = f"The worker was lost {MOST_CUT_OFF} times in a row; given up."
ALONE = "cut off again"  # the ordering key of those that go out one after another


def give_back(now: datetime, *, in_hand: Collection[int] = ()) -> int:
    """Return rows whose worker is gone to the queue, each with an ``unknown`` attempt.

    Any of them may be what ended the worker. Whichever was cut off twice in a row goes out one
    after another, so that it takes no other of them with it; at last it is given up.

    ``in_hand``: ids of rows that the caller itself has under way. A caller that stood still for
    longer than its leases knows best that they are not lost.
    """
    with transaction.atomic():
        stalled = Delivery.objects.stalled(now).exclude(pk__in=in_hand).order_by("pk")
        rows = list(stalled.select_for_update(skip_locked=True, of=("self",))[:BATCH])
        times = _cut_off_times(rows)
        settle([_lost(row, times[row.pk]) for row in rows], now=now)
        again = [pk for pk, number in times.items() if number > 1]
        given_up = [pk for pk in again if times[pk] >= MOST_CUT_OFF]
        if again:
            Delivery.objects.filter(pk__in=again, ordering_key="").update(ordering_key=ALONE)
        if given_up:
            queued = Delivery.objects.filter(pk__in=given_up, state=State.QUEUED)
            _end(queued, State.FAILED, now, GIVEN_UP)
    return len(rows)


def release() -> None:
    """Let those that were cut off again, and have met another end since, go with the others."""
    # By channel, as the indexes are: else SQLite goes through the whole log. And found before it
    # is written to: an update keeps its other writers out, also where it finds nothing.
    channels = Channel.objects.order_by().values("pk")
    queued = Delivery.objects.filter(channel__in=channels, ordering_key=ALONE, state=State.QUEUED)
    answered = list(queued.exclude(reason=LOST).order_by().values_list("pk", flat=True)[:BATCH])
    if answered:
        Delivery.objects.filter(pk__in=answered, state=State.QUEUED).update(ordering_key="")


def _lost(row: Delivery, times: int) -> Result:
    """Say what became of a try whose worker is gone, the so manieth in a row."""
    result = cut_off(row, LOST)
    if times < MOST_CUT_OFF:
        return result
    return result._replace(retry_after=row.deadline - result.started_at)  # there is no next try


def _cut_off_times(rows: Sequence[Delivery]) -> dict[int, int]:
    """Count, by row, the tries that were cut off one after another, with the present one."""
    tried = [row.pk for row in rows if row.attempt_count > 1]
    written = Attempt.objects.filter(delivery__in=tried).order_by("delivery", "-number")
    times = {row.pk: 1 for row in rows}
    for pk, outcomes in groupby(written.values_list("delivery_id", "outcome"), itemgetter(0)):
        times[pk] += sum(1 for _ in takewhile(lambda one: one[1] == Outcome.UNKNOWN, outcomes))
    return times


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
