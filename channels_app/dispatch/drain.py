"""The dispatch loop: claim, send, settle, until nothing is due for a while.

It runs as a django-q2 task and ends by itself well before the task's time limit. Whatever
happens to it, the rows say what is to be done, and the next loop goes on from them.
"""

import logging
import time
import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.utils import timezone

from channels_app.connectors.base import BatchConnector, HttpConnector, Rejected, Unavailable
from channels_app.dispatch import recover
from channels_app.dispatch.batches import BatchRunner, deliver
from channels_app.dispatch.claims import LEASE, Lane, channels_due, claim
from channels_app.dispatch.results import Result, build, cut_off, of_response, of_verdict
from channels_app.dispatch.settle import settle
from channels_app.http import BulkTransport
from channels_app.models import Channel, Delivery, State
from channels_app.secrets import SecretsUnreadable
from project import stopping

log = logging.getLogger(__name__)

WINDOW = 256  # deliveries in hand at once on one host, shared out among its loops
LIFE = 60.0  # seconds after which a loop hands over to a new one
GRACE = 5.0  # seconds that what is under way gets when the worker is told to stop
LINGER = timedelta(seconds=90)  # waits for what falls due within; the sweep comes each minute
POLL = 0.2  # seconds between looks at the database while nothing is under way
SETTLE_SIZE, SETTLE_AGE = 64, 0.1  # settle so many results at once, or after so many seconds


class Drain:
    """One dispatch loop. ``linger``: stay for what falls due soon, instead of ending at once."""

    def __init__(self, *, linger: bool = True) -> None:
        self.holder = uuid.uuid4().hex
        self.linger = linger
        self.lanes: dict[int, Lane] = {}
        self.flying: dict[int, tuple[Lane, Delivery]] = {}
        self.results: list[Result] = []
        self.settled_at = time.monotonic()
        self.housekept_at = self.renewed_at = float("-inf")
        self.window = max(1, WINDOW // max(1, settings.DRAINS))
        self.transport = BulkTransport(window=self.window)
        self.batches = BatchRunner()

    def run(self) -> bool:
        """Work until nothing is due; True when there is more to do for another loop."""
        ends = time.monotonic() + LIFE
        try:
            while time.monotonic() < ends and not stopping.requested():
                if not self._turn() and not self._worth_waiting():
                    return False
            self._land()
            return not stopping.requested()
        finally:
            self.transport.close()
            self.batches.close()

    def _turn(self) -> bool:
        """Do one round; False when nothing is under way and nothing came of it."""
        try:
            self._keep_house()
            launched = self._launch()
            self._collect(POLL / 10)
            settled = self._settle_when_ripe()
        except DatabaseError:
            # The rows wait, and what is in hand is kept: settled once the database is back,
            # or given up when its lease ends.
            log.exception("The database did not answer; trying again.")
            connection.close()
            time.sleep(1)
            return True
        # What was settled just now may let others go: more may be due at once.
        return bool(launched or self.flying or self.results or settled)

    # --- claim and send -------------------------------------------------------------------------

    def _launch(self) -> int:
        """Claim and send what is due; returns how many rows were taken."""
        launched = 0
        now = timezone.now()
        for channel in channels_due(now):
            lane = self._lane(channel)
            if lane is None:
                continue
            # What is sent but not yet settled counts as well: it is what a crash would repeat.
            left = self.window - len(self.flying) - len(self.results)
            # Half of what is left: whoever comes next finds room, however many channels hang.
            room = max(1, left // 2) if left > 0 else 0
            taken = claim(lane, room, now=now, holder=self.holder)
            for delivery in taken:
                self.flying[delivery.pk] = (lane, delivery)
            launched += len(taken)
            if taken:
                self._send(lane, taken, now)
        return launched

    def _lane(self, channel: Channel) -> Lane | None:
        """Return the channel's lane; None where its kind or secrets are unusable: it waits."""
        try:
            lane = self.lanes.get(channel.pk)
            if lane is None:
                lane = self.lanes[channel.pk] = Lane(channel)
            lane.refresh(channel)
        except (KeyError, SecretsUnreadable):
            log.exception("Channel %s can't be used; its deliveries wait.", channel.pk)
            return None
        return lane

    def _send(self, lane: Lane, deliveries: list[Delivery], now: datetime) -> None:
        connector = lane.connector
        if isinstance(connector, HttpConnector):
            for delivery in deliveries:
                request = build(connector, delivery, lane.credentials, now)
                if isinstance(request, Rejected | Unavailable):
                    self._done(of_verdict(delivery, request, started_at=now, duration=0))
                else:
                    self.transport.submit(delivery.pk, request, lane.policy)
        elif isinstance(connector, BatchConnector) and connector.transactional:
            try:
                # What it does and that it was done are one commit: never lost, never doubled.
                with transaction.atomic():
                    results = deliver(connector, deliveries, lane.credentials, now)
                    settle(results, holder=self.holder, now=timezone.now())
            finally:
                for delivery in deliveries:
                    self._landed(delivery.pk)
        elif isinstance(connector, BatchConnector):
            self.batches.submit(connector, deliveries, lane.credentials, now)

    # --- collect and settle ---------------------------------------------------------------------

    def _collect(self, seconds: float) -> None:
        """Take in what has ended, waiting up to ``seconds`` for it."""
        for finished in self.transport.poll(seconds if self.transport.in_flight else 0):
            lane, delivery = self.flying[finished.key]
            if isinstance(lane.connector, HttpConnector):  # always so, by what _send submits
                self._done(of_response(delivery, lane.connector, finished))
        for result in self.batches.finished():
            self._done(result)
        if self.flying and not self.transport.in_flight:
            time.sleep(seconds)  # batches in threads wake nobody

    def _done(self, result: Result) -> None:
        self._landed(result.delivery.pk)
        self.results.append(result)

    def _landed(self, pk: int) -> None:
        if pk in self.flying:
            lane, delivery = self.flying.pop(pk)
            lane.landed(delivery)

    def _settle_when_ripe(self, *, now: bool = False) -> bool:
        age = time.monotonic() - self.settled_at
        if self.results and (now or len(self.results) >= SETTLE_SIZE or age >= SETTLE_AGE):
            settle(self.results, holder=self.holder, now=timezone.now())
            self.results.clear()
            self.settled_at = time.monotonic()
            return True
        return False

    def _land(self) -> None:
        """End in order: what is under way gets a moment, what does not end by then is cut off."""
        ends = time.monotonic() + (GRACE if stopping.requested() else 2 * GRACE)
        while self.flying and time.monotonic() < ends:
            self._collect(POLL)
            self._settle_when_ripe()
        for _lane, delivery in list(self.flying.values()):
            self._done(cut_off(delivery, "The worker was stopped; it may have arrived."))
        self._settle_when_ripe(now=True)

    # --- time -----------------------------------------------------------------------------------

    def _keep_house(self) -> None:
        """Once a second, do what time alone brings about."""
        if time.monotonic() - self.housekept_at < 1:
            return
        self.housekept_at = time.monotonic()
        now = timezone.now()
        recover.give_back(now)
        recover.expire(now)
        recover.cancel_halted(now)
        if time.monotonic() - self.renewed_at > LEASE.total_seconds() / 3:
            self.renewed_at = time.monotonic()
            Delivery.objects.filter(
                pk__in=list(self.flying), holder=self.holder, state=State.SENDING
            ).update(lease_until=now + LEASE)

    def _worth_waiting(self) -> bool:
        """Sleep a little when something is due soon; False when the loop may end."""
        if not self.linger:
            return False
        soon = Delivery.objects.next_event()
        if soon is None or soon > timezone.now() + LINGER:
            return False
        time.sleep(POLL)
        return True
