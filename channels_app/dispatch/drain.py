"""The dispatch loop: claim, send, settle, until nothing is due for a while.

It runs as a django-q2 task and ends by itself well before the task's time limit. Whatever
happens to it, the rows say what is to be done, and the next loop goes on from them.
"""

import logging
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from channels_app.connectors.base import (
    BatchConnector,
    HttpConnector,
    SteppedConnector,
    Unavailable,
)
from channels_app.dispatch import breaker, recover
from channels_app.dispatch.batches import BatchRunner, deliver_at_once
from channels_app.dispatch.claims import Lane, claim
from channels_app.dispatch.hand import Hand, Written
from channels_app.dispatch.results import (
    build,
    cut_off,
    of_response,
    of_verdict,
    seal,
    try_of,
)
from channels_app.dispatch.rotation import Rotation
from channels_app.dispatch.settle import settle
from channels_app.http import BulkTransport, HttpRequest
from channels_app.models import Channel, Delivery, statements
from channels_app.models.statements import Due
from project import stopping

log = logging.getLogger(__name__)

_Taken = tuple[Lane, list[Delivery], datetime]  # what was claimed over a channel, and when

WINDOW = 256  # deliveries in hand at once on one host, shared out among its loops
LIFE = 60.0  # seconds after which a loop hands over to a new one
# Seconds that what is under way gets then: more than a request may take, or an e-mail but to the
# worst of servers; together with LIFE well below the task's time limit.
LANDING = 40.0
GRACE = 5.0  # seconds that it gets when the worker is told to stop
LINGER = timedelta(seconds=90)  # it stays for what falls due within so long
GLANCE = 0.02  # seconds between looks for more while little has landed
POLL = 0.2  # seconds between looks at the database while nothing is under way
SEALED = 64  # requests that leave while the next ones are signed
BUSY = 0.5  # share of a second spent working, from which on another loop is called for
CALLS = 10.0  # seconds from one call to the next
SLOW_CALL = 0.5  # seconds; after one that took longer, a broker that hangs, there is no other


class Drain:
    """One dispatch loop. ``linger``: stay for what falls due soon, instead of ending at once.

    ``spent``: seconds that its task has taken before, by which it hands over sooner.
    ``call``: what has another loop started, where this one has all hands full; the host's limit
    is for it to keep.
    """

    def __init__(
        self, *, linger: bool = True, spent: float = 0.0, call: Callable[[], None] | None = None
    ) -> None:
        self.holder = uuid.uuid4().hex
        self.linger = linger
        self.life = max(LIFE - spent, 1.0)
        self.rotation = Rotation()
        self.hand = Hand(self.holder)
        self.expected = 0  # how many of those under way were to land soon, at the last look
        self.landings = 0  # of all that left, how many had landed then
        self.carried: set[int] = set()  # what was under way before it
        self.looked_at = float("-inf")
        self.housekept_at = float("-inf")
        self.call = call
        self.call_at = float("-inf")  # not again before
        self.worked = time.thread_time()  # seconds of processor time, when it last kept house
        self.window: int = max(1, WINDOW // max(1, settings.DRAINS))
        self.transport = BulkTransport(window=self.window)
        self.batches = BatchRunner()

    def run(self) -> bool:
        """Work until nothing is due; True when there is more to do for another loop."""
        ends = time.monotonic() + self.life
        try:
            while time.monotonic() < ends and not stopping.requested():
                if not self._turn() and not self._worth_waiting():
                    return False
            self._land()
            return not stopping.requested()
        finally:
            self.transport.close()
            self.batches.close()

    def _turn(self, *, landing: bool = False) -> bool:
        """Do one round; False when nothing is under way and nothing came of it."""
        try:
            # First what has ended: after a standstill, answers that came are still in time.
            self._collect(POLL / 10)
            if self.hand.carry_out():
                self.rotation.forget()
            self.hand.renew()
            if not landing:
                self._keep_house()
            moved = self._exchange(landing=landing)
        except DatabaseError:
            # The rows wait, and what is in hand is kept: settled once the database is back,
            # or given up when its lease ends.
            log.exception("The database did not answer; trying again.")
            connection.close()
            time.sleep(1)
            return True
        # What was settled just now may let others go: more may be due at once.
        return moved or len(self.hand) > 0

    # --- claim and send -------------------------------------------------------------------------

    def _exchange(self, *, landing: bool) -> bool:
        """Settle what has ended, claim and send what is due; False where there was neither."""
        # With nothing under way, nothing more comes that could be written down along with it.
        settles = self.hand.has_enough(self.window - len(self.hand), now=not self.hand.flying)
        looks = not landing and self._worth_a_look()
        claims = self._claims() if looks else iter(())
        if settles and looks and not statements.on_postgres():
            first = self._settle_and_take(claims)
        else:
            if settles:
                self.hand.settle()
            first = next(claims, None)
        taken = first
        while taken is not None:
            self._send(*taken)
            taken = next(claims, None)
        if looks:
            self.looked_at = time.monotonic()
        return settles or first is not None

    def _settle_and_take(self, claims: Iterator[_Taken]) -> _Taken | None:
        """Settle and take the first claim in one commit: half the writing, half the turns at it."""
        written, first = Written([], []), None
        came_through: list[bool] = []
        try:
            with statements.together():
                # First of all: what others do after the commit may fail.
                transaction.on_commit(lambda: came_through.append(True))
                written = self.hand.settle()
                first = next(claims, None)
        except Exception:
            lane, taken, _ = first or (None, [], None)
            if came_through:
                for row in taken:
                    self.hand.unsent(row)
            else:
                if lane is not None:
                    lane.health.probe = None  # if it was to be one
                self.hand.undo(written, taken)
                self.hand.settle()  # by itself: a claim that fails each time holds up no end
            raise
        return first

    def _claims(self) -> Iterator[_Taken]:
        """Claim channel by channel; what is taken over one is sent before the next is asked.

        So a row that kills its worker while it is put into a request takes none of those with it.
        """
        before = set(self.hand.flying)
        for lane, due in self.rotation.lanes():
            now = timezone.now()  # the claims before this one may have waited for the database
            rows = self._claim(lane, due, now)
            self.hand.take(lane, rows)
            if rows:
                if due.is_paused:
                    self.rotation.done(lane)
                yield lane, rows, now
            elif self._room(lane) > 0 and lane.free > 0:
                self.rotation.done(lane)
        # What was under way two looks ago takes its time; by less, each look would expect less
        # than the one before, down to single rows.
        slow = len(self.carried & self.hand.flying.keys())
        self.expected, self.carried = len(self.hand.flying) - slow, before
        self.landings = self.hand.landings

    def _claim(self, lane: Lane, due: Due, now: datetime) -> list[Delivery]:
        """Take what may leave over this channel: of a paused one, a single row as its probe."""
        room = self._room(lane)
        if not due.is_paused or room <= 0:
            return claim(lane, room, now=now, holder=self.holder)
        channel = Channel.objects.get(pk=lane.channel.pk)
        probe = breaker.take_probe(channel, now)
        if probe is None:
            return []
        taken = claim(lane, 1, now=now, holder=self.holder)
        if taken:
            lane.health.probe = replace(probe, key=try_of(taken[0]))
        else:
            breaker.put_back(channel, probe, now)
        return taken

    def _worth_a_look(self) -> bool:
        """Whether most of what was expected has landed, or some time is over.

        Few rows cost as many do. What hangs for long is left out of it: others need not wait.
        """
        landed = self.hand.landings - self.landings
        return (
            landed >= max(1, 3 * self.expected // 4)
            or not self.hand.flying
            or time.monotonic() - self.looked_at >= GLANCE
        )

    def _room(self, lane: Lane) -> int:
        """How many more this lane may take.

        It may hold half of what the others leave (three quarters of all, where there are no
        others), so whoever comes next finds room, however many channels hang and however often
        they were served. The last places go one by one.
        """
        others = len(self.hand.flying) - len(lane.flying)
        most = max(1, (self.window - others) // 2 if others else self.window * 3 // 4)
        return min(self.window - len(self.hand), most - len(lane.flying))

    def _send(self, lane: Lane, deliveries: list[Delivery], now: datetime) -> None:
        connector = lane.connector
        if isinstance(connector, SteppedConnector) and not self._prepare(
            connector, deliveries, now
        ):
            return
        if isinstance(connector, HttpConnector):
            # One step for all, then the next: each keeps the processor's caches to itself.
            requests = [build(connector, one, lane.credentials, now) for one in deliveries]
            for start in range(0, len(requests), SEALED):
                part = slice(start, start + SEALED)
                sealed = seal(connector, requests[part])
                for delivery, request in zip(deliveries[part], sealed, strict=True):
                    if isinstance(request, HttpRequest):
                        self.transport.submit(try_of(delivery), request, lane.policy)
                    else:
                        verdict = of_verdict(delivery, request, started_at=now, duration=0)
                        self.hand.ended(verdict._replace(left=False))
                self.transport.start()
        elif isinstance(connector, BatchConnector) and connector.transactional:
            try:
                # What it does and that it was done are one commit: never lost, never doubled.
                with transaction.atomic():
                    results = deliver_at_once(connector, deliveries, lane.credentials, now)
                    settle(results, now=timezone.now())
            except BaseException:
                for delivery in deliveries:
                    self.hand.unsent(delivery)  # where the commit came through, nothing happens
                raise
            for delivery in deliveries:
                self.hand.landed(delivery)
        elif isinstance(connector, BatchConnector):
            self.batches.submit(connector, deliveries, lane.credentials, now)

    def _prepare(
        self, connector: SteppedConnector, deliveries: list[Delivery], now: datetime
    ) -> bool:
        """Let the connector look up what its requests need; False where none can be made."""
        try:
            connector.prepare(deliveries, now)
        except (OperationalError, InterfaceError):  # no matter of these deliveries
            for delivery in deliveries:
                self.hand.unsent(delivery)
            raise
        except Exception:
            log.exception("The %s connector could not prepare its requests.", connector.kind)
            problem = Unavailable("The request could not be prepared.")
            for delivery in deliveries:
                verdict = of_verdict(delivery, problem, started_at=now, duration=0)
                self.hand.ended(verdict._replace(left=False))
            return False
        return True

    # --- collect and settle ---------------------------------------------------------------------

    def _collect(self, seconds: float) -> None:
        """Take in what has ended, waiting up to ``seconds`` for it."""
        for finished in self.transport.poll(seconds if self.transport.in_flight else 0):
            lane, delivery = self.hand.flying.get(finished.key, (None, None))
            if lane is None or delivery is None:
                continue  # nobody waits for it any more
            # One of these, by what _send submits; to ask takes as long as a look-up.
            connector = cast("HttpConnector", lane.connector)
            self.hand.ended(of_response(delivery, connector, finished))
        results, unsent = self.batches.finished()
        for result in results:
            self.hand.ended(result)
        for delivery in unsent:
            self.hand.unsent(delivery)
        if self.hand.flying and not self.transport.in_flight:
            time.sleep(seconds)  # batches in threads wake nobody

    def _land(self) -> None:
        """End in order: what has not left is handed back, what is under way is waited for.

        What does not end in time is cut off: after GRACE where the worker is told to stop, else
        only what outlasts any request.
        """
        self.batches.recall()
        ends, hurried = time.monotonic() + LANDING, False
        while len(self.hand) and time.monotonic() < ends:
            if stopping.requested() and not hurried:
                ends, hurried = min(ends, time.monotonic() + GRACE), True
            self._turn(landing=True)
        for _lane, delivery in list(self.hand.flying.values()):
            self.hand.ended(cut_off(delivery, "The worker was stopped; it may have arrived."))
        self.hand.carry_out()
        self.hand.settle()

    # --- time -----------------------------------------------------------------------------------

    def _keep_house(self) -> None:
        """Once a second, do what time alone brings about."""
        since = time.monotonic() - self.housekept_at
        if since < 1:
            return
        self.housekept_at = time.monotonic()
        self.hand.settle()  # first what has ended, however the rest goes
        worked, self.worked = time.thread_time() - self.worked, time.thread_time()
        if worked > since * BUSY:
            self._call_for_help()
        left = statements.left_by_time(now := timezone.now())
        if left.stalled:
            recover.give_back(now, in_hand=self.hand.rows())
        if left.overdue:
            recover.expire(now)
        if left.halted:
            recover.cancel_halted(now)

    def _call_for_help(self) -> None:
        """Have another loop started: one hint may have come for any number of rows."""
        began = time.monotonic()
        if self.call is None or began < self.call_at:
            return
        self.call()
        took = time.monotonic() - began
        self.call_at = began + CALLS if took < SLOW_CALL else float("inf")

    def _worth_waiting(self) -> bool:
        """Sleep a little when something is due soon; False when the loop may end."""
        if not self.linger:
            return False
        soon = Delivery.objects.next_event()
        if soon is None or soon > timezone.now() + LINGER:
            return False
        time.sleep(POLL)
        return True
