"""A delivery's life as a line from its creation to its deadline, laid out for an SVG.

Positions are shares of the width ("37.50%"), so that the drawing fits any screen and its words
keep their size. Everything drawn stands as text beside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from channels_app.dispatch.retry import planned_after
from channels_app.log.words import Clock, in_short, outcome, span
from channels_app.models import Attempt, Delivery, Outcome, State

NARROWEST = 1.6  # percent between two planned tries that are both drawn
MOST_PLANNED = 1000  # later tries that are counted; hourly, six weeks of them


@dataclass(frozen=True, slots=True)
class Mark:
    x: str
    kind: str  # try, next, planned
    words: str
    state: str = ""  # a try's outcome, for its colour


@dataclass(frozen=True, slots=True)
class Label:
    x: str
    anchor: str  # as in SVG: start, middle, end
    words: str


@dataclass(frozen=True, slots=True)
class TimeLine:
    heading: str
    starts: str
    ends: str
    passed: str  # up to where the line is filled
    marks: list[Mark]
    label: Label | None  # what comes next, or how it ended
    summary: str


def lay_out(delivery: Delivery, attempts: list[Attempt], clock: Clock) -> TimeLine:
    """Place a delivery's past and planned tries; ``attempts`` in order."""
    scale = _Scale(delivery, attempts)
    upto = clock.now if delivery.is_open else delivery.settled_at or clock.now
    planned = _planned(delivery, clock.now)
    marks = [
        Mark(
            x=scale.at(attempt.started_at),
            kind="try",
            words=f"Try {attempt.number}, {clock.when(attempt.started_at)}: {outcome(attempt)}",
            state=attempt.outcome,
        )
        for attempt in attempts
    ]
    marks += _coming(planned, scale, clock)
    return TimeLine(
        heading=f"{span(delivery.deadline - delivery.created_at)} to deliver",
        starts=clock.when(delivery.created_at),
        ends=f"deadline {clock.when(delivery.deadline)}",
        passed=scale.at(upto),
        marks=marks,
        label=_label(delivery, planned, scale, clock),
        summary=_summary(attempts, planned),
    )


class _Scale:
    def __init__(self, delivery: Delivery, attempts: list[Attempt]) -> None:
        self.start = delivery.created_at
        # A try that began in time may end after the deadline.
        ends = [delivery.deadline, *(attempt.started_at for attempt in attempts)]
        self.length = max(max(ends) - self.start, timedelta(seconds=1))

    def percent(self, moment: datetime) -> float:
        return 100 * min(1, max(0, (moment - self.start) / self.length))

    def at(self, moment: datetime) -> str:
        return f"{self.percent(moment):.2f}%"


def _planned(delivery: Delivery, now: datetime) -> list[datetime]:
    """The next try and those that would follow if each failed, up to the deadline."""
    if delivery.state != State.QUEUED or delivery.due_at >= delivery.deadline:
        return []
    moments = [max(delivery.due_at, now)]
    number = delivery.attempt_count + 1
    while len(moments) < MOST_PLANNED:
        following = moments[-1] + planned_after(number)
        if following >= delivery.deadline:
            break
        moments.append(following)
        number += 1
    return moments


def _coming(planned: list[datetime], scale: _Scale, clock: Clock) -> Iterator[Mark]:
    drawn = -NARROWEST
    for index, moment in enumerate(planned):
        place = scale.percent(moment)
        if index == 0:
            yield Mark(scale.at(moment), "next", f"Next try, {clock.when(moment)}")
        elif place - drawn >= NARROWEST:
            yield Mark(scale.at(moment), "planned", f"Planned, {clock.when(moment)}")
        else:
            continue
        drawn = place


def _label(
    delivery: Delivery, planned: list[datetime], scale: _Scale, clock: Clock
) -> Label | None:
    if planned:
        moment = planned[0]
        words = f"next {clock.when(moment)}" if moment > clock.now else "due now"
        if delivery.channel.is_paused and moment <= clock.now:
            words = "waits for its channel"
    elif delivery.state == State.SENDING:
        moment = delivery.claimed_at or clock.now
        words = f"being sent since {clock.when(moment)}"
    elif delivery.settled_at:
        moment = delivery.settled_at
        words = f"{State(delivery.state).label.lower()} {clock.when(moment)}"
    else:
        return None
    place = scale.percent(moment)
    anchor = "start" if place < 20 else "end" if place > 80 else "middle"
    return Label(scale.at(moment), anchor, words)


def _summary(attempts: list[Attempt], planned: list[datetime]) -> str:
    number = len(attempts)
    took_it = any(attempt.outcome == Outcome.ACCEPTED for attempt in attempts)
    if not number:
        said = "Not tried yet." if planned else "Never tried."
    elif took_it and number == 1:
        said = "Accepted at the first try."
    else:
        said = f"{number} {'try' if number == 1 else 'tries'}: {in_short(attempts)}."
    if len(planned) > 1:
        more = len(planned) - 1
        said += f" If the next fails, up to {more} more {'follows' if more == 1 else 'follow'}."
    return said
