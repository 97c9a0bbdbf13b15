"""What one dispatch loop has in hand: tries under way, and ends that are not written down yet."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from django.db.models import Value
from django.db.models.functions import Greatest
from django.utils import timezone

from channels_app import vendor_tokens
from channels_app.dispatch import breaker
from channels_app.dispatch.claims import LEASE, Lane
from channels_app.dispatch.health import Change, Finding
from channels_app.dispatch.results import Result, try_of
from channels_app.dispatch.settle import hand_back, settle
from channels_app.models import Delivery, State

SETTLE_SIZE, SETTLE_AGE = 64, 0.1  # settle so many results at once, or after so many seconds
SETTLE_FEW = 16  # so many where they hold places that others could have


class Written(NamedTuple):
    """What one settlement held."""

    results: list[Result]
    unsent: list[Delivery]


class Hand:
    """Its length is what a crash would repeat: what is sent but not yet settled counts as well."""

    def __init__(self, holder: str) -> None:
        # By the try's number, not the row's: a row that was given back meanwhile may be under way
        # a second time.
        self.flying: dict[int, tuple[Lane, Delivery]] = {}
        self.landings = 0  # so far
        self._holder = holder
        self._results: list[Result] = []
        self._unsent: list[Delivery] = []
        self._changes: dict[tuple[int, Finding], Change] = {}
        self._refused: dict[int, vendor_tokens.Held] = {}  # channels, and a token of each
        self._settled_at = time.monotonic()
        self._renewed_at = datetime.min.replace(tzinfo=UTC)

    def __len__(self) -> int:
        return len(self.flying) + len(self._results) + len(self._unsent)

    def rows(self) -> list[int]:
        """Return the ids of all rows in hand."""
        return [
            *(delivery.pk for _, delivery in self.flying.values()),
            *(result.delivery.pk for result in self._results),
            *(delivery.pk for delivery in self._unsent),
        ]

    def take(self, lane: Lane, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            self.flying[try_of(delivery)] = (lane, delivery)

    def ended(self, result: Result) -> None:
        lane = self.landed(result.delivery)
        self._results.append(result)
        if result.token_refused and lane is not None:
            lost = lane.lose_token(result.started_at)
            if lost is not None:
                self._refused[lane.channel.pk] = lost
        if lane is None or result.delivery.channel is not lane.channel:  # changed meanwhile
            return
        change = lane.health.note(result)
        if change is not None:
            self._changes[lane.channel.pk, change.finding] = change

    def unsent(self, delivery: Delivery) -> None:
        """Take note that this one was not sent, and never will be by this loop."""
        self.landed(delivery)
        self._unsent.append(delivery)

    def landed(self, delivery: Delivery) -> Lane | None:
        key = try_of(delivery)
        lane, _ = self.flying.pop(key, (None, None))
        if lane is not None:
            self.landings += 1
            lane.landed(key)
        return lane

    def carry_out(self) -> bool:
        """Write down what it means for channels, before more is claimed; True when it was so."""
        changed = bool(self._changes or self._refused)
        while self._refused:
            channel, lost = next(iter(self._refused.items()))
            vendor_tokens.drop(channel, lost, now=timezone.now())
            self._refused.pop(channel)
        while self._changes:
            key, change = next(iter(self._changes.items()))
            breaker.carry_out(change, timezone.now())
            self._changes.pop(key)
        return changed

    def has_enough(self, free: int, *, now: bool) -> bool:
        """Whether what has ended is enough, or old enough, to be written down; any is for ``now``.

        ``free``: places of the window that are left. What has ended holds places too, so where
        others hang, fewer are enough.
        """
        ended = len(self._results)
        enough = SETTLE_SIZE if free >= ended // 2 else SETTLE_FEW
        old = time.monotonic() - self._settled_at >= SETTLE_AGE
        return bool(self._unsent) or (ended > 0 and (now or old or ended >= enough))

    def settle(self) -> Written:
        """Write down what has ended, and hand back what was not sent."""
        written = Written(self._results, self._unsent)
        if written.unsent:
            hand_back(written.unsent, holder=self._holder)
        settle(written.results, now=timezone.now())
        self._results, self._unsent = [], []  # where one of the two fails, both are done again
        self._settled_at = time.monotonic()
        return written

    def undo(self, written: Written, taken: Iterable[Delivery]) -> None:
        """Take back what was to be one commit, which did not come through."""
        self._results += written.results
        self._unsent += written.unsent
        for delivery in taken:
            self.landed(delivery)

    def renew(self) -> None:
        """Put off the ends of the leases, when a third of their time is over.

        By the clock on the wall, as leases are: the other one stands while a machine is suspended.
        Never brought forward: by a clock that was set back they would be over for everybody else.
        """
        now = timezone.now()
        if abs(now - self._renewed_at) < LEASE / 3:
            return
        Delivery.objects.filter(
            pk__in=self.rows(), holder=self._holder, state=State.SENDING
        ).update(lease_until=Greatest("lease_until", Value(now + LEASE)))
        self._renewed_at = now
