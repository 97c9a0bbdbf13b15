"""The numbers of a notification on its way. They come from its tally: nothing here counts rows
while they move."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from math import isfinite
from typing import Self

from django.core.cache import cache
from django.db.models import Count, Q

from channels_app.models import Channel, Delivery, State, Tally
from notifications.models import ORIGIN, Notification, Stage

BAR = 1000  # units of the bar's width
# In the order in which they fill the bar; what is queued is its unfilled rest.
FILLING = (
    State.DELIVERED,
    State.SENT,
    State.SENDING,
    State.FAILED,
    State.EXPIRED,
    State.CANCELLED,
    State.SUPPRESSED,
)
TRIED = (State.SENT, State.DELIVERED, State.FAILED, State.EXPIRED)
SAMPLE_AGE = 30.0  # seconds; an older sample says nothing of the present rate
SMOOTH = 0.4  # how much of each new measurement enters the rate
SLOWEST = 0.05  # a second; below, an expected end is no more than a guess
RETRYING_KEPT = 3  # seconds
ROWS_KEPT = 3600  # seconds that the count of an ended expansion is remembered


@dataclass(frozen=True, slots=True)
class Part:
    """One state's stretch of the bar."""

    state: str
    x: float
    width: float
    number: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What the page saw when it last looked; it travels in the address of the next look."""

    at: float  # seconds, Unix
    settled: int
    rate: float = 0.0  # a second

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return None for anything that is no sample."""
        try:
            first, settled, last = text.split("_", 2)
            at, rate = float(first), float(last)
            if not (isfinite(at) and isfinite(rate)):
                return None
            return cls(at, int(settled[:18]), min(max(rate, 0.0), 1e9))
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.at:.3f}_{self.settled}_{self.rate:.3f}"


@dataclass(frozen=True)
class Progress:
    notification: Notification
    tally: Tally
    now: datetime
    before: Sample | None = None

    @classmethod
    def of(cls, notification: Notification, now: datetime, before: Sample | None = None) -> Self:
        tally = Tally.objects.filter(origin_kind=ORIGIN, origin_id=notification.pk).first()
        return cls(notification, tally or Tally(), now, before)

    # --- where it stands ------------------------------------------------------------------------

    @property
    def total(self) -> int:
        """How many people have become deliveries."""
        return self.tally.total

    @property
    def has_begun(self) -> bool:
        return self.notification.started_at is not None and not self.notification.is_series

    @property
    def is_expanding(self) -> bool:
        stage, ended = self.notification.stage, self.notification.expanded_at
        return stage == Stage.SENDING and ended is None

    @property
    def is_active(self) -> bool:
        """Whether a look a moment later may show something else."""
        stage = self.notification.stage
        return stage in (Stage.SCHEDULED, Stage.SENDING) or self.tally.open > 0

    @property
    def is_stoppable(self) -> bool:
        return self.notification.stage in (Stage.SCHEDULED, Stage.SENDING)

    @property
    def is_stopping(self) -> bool:
        return self.notification.stage == Stage.CANCELLED and self.tally.open > 0

    @property
    def is_waiting(self) -> bool:
        return self.notification.stage == Stage.SCHEDULED

    @property
    def expected(self) -> int:
        """What the bar's whole length stands for; while people are added, those to come too."""
        approved = self.notification.approved_count or 0
        return max(self.total, approved) if self.is_expanding else self.total

    @property
    def parts(self) -> list[Part]:
        parts, before = [], 0
        states = self.tally.states
        for state in FILLING:
            number = states[state]
            if number:
                x = BAR * before / self.expected
                parts.append(
                    Part(state.value, round(x, 2), round(BAR * number / self.expected, 2), number)
                )
                before += number
        return parts

    @property
    def legend(self) -> list[tuple[str, int]]:
        """Each state with its number; those that nobody is in are left out, but what is sent."""
        order = [State.DELIVERED, State.SENT, State.SENDING, State.QUEUED, *FILLING[3:]]
        states = self.tally.states
        return [(state.value, states[state]) for state in order if states[state]]

    @property
    def percent(self) -> int:
        done = self.total - self.tally.open
        return 100 * done // self.expected if self.expected else 100 * (not self.is_active)

    # --- the books ------------------------------------------------------------------------------

    @cached_property
    def rows(self) -> int | None:
        """How many deliveries there are, counted once their number can't change any more.

        The count goes over one index and is remembered; until then it is None.
        """
        notification = self.notification
        if self.is_expanding or not self.has_begun:
            return None
        key = f"progress-rows:{notification.pk}"
        rows: int | None = cache.get(key)
        if rows is None:
            rows = Delivery.objects.of_origin(ORIGIN, notification.pk).count()
            cache.set(key, rows, ROWS_KEPT)
        return rows

    @property
    def is_balanced(self) -> bool:
        return self.rows == self.total

    # --- speed ----------------------------------------------------------------------------------

    @property
    def settled(self) -> int:
        """How many tries have come to an end; who was never tried does not count as speed."""
        return sum(self.tally.states[state] for state in TRIED)

    @cached_property
    def rate(self) -> float:
        """Deliveries settled a second: of late while it runs, over all of it afterwards."""
        started = self.notification.started_at
        if started is None:
            return 0.0
        ended = self.notification.finished_at
        if ended is not None and not self.tally.open:
            return self.settled / max((ended - started).total_seconds(), 0.1)
        if self.before is None or not 0 < self._age < SAMPLE_AGE:
            return self.settled / max((self.now - started).total_seconds(), 0.1)
        measured = max(self.settled - self.before.settled, 0) / max(self._age, 0.2)
        return self.before.rate + SMOOTH * (measured - self.before.rate)

    @property
    def _age(self) -> float:
        return self.now.timestamp() - self.before.at if self.before else 0.0

    @property
    def sample(self) -> Sample:
        return Sample(self.now.timestamp(), self.settled, self.rate)

    @property
    def took(self) -> timedelta | None:
        """How long it ran; None until it has ended."""
        started, ended = self.notification.started_at, self.notification.finished_at
        return ended - started if started and ended else None

    @property
    def left(self) -> timedelta | None:
        """How long it will go on at this rate; None where that can't be told."""
        waiting = self.tally.open - self.retrying
        if self.is_expanding or self.is_stopping or waiting <= 0 or self.rate < SLOWEST:
            return None
        return timedelta(seconds=waiting / self.rate)

    @cached_property
    def retrying(self) -> int:
        """How many were tried and wait for their next try, as of a few seconds ago."""
        if not self.tally.queued:
            return 0
        key = f"progress-retrying:{self.notification.pk}"
        retrying: int | None = cache.get(key)
        if retrying is None:
            # Asked for by their channels, the rows to be retried are found by their own small
            # index; with the origin as a condition, all its deliveries would be walked.
            of_this = Q(origin_kind=ORIGIN, origin_id=self.notification.pk)
            channels = Channel.objects.filter(tenant=self.notification.tenant_id)
            rows = Delivery.objects.filter(state=State.QUEUED, channel__in=channels).retries()
            retrying = rows.aggregate(number=Count("pk", filter=of_this))["number"]
            cache.set(key, retrying, RETRYING_KEPT)
        return retrying
