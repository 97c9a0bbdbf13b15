"""What django-q2 runs for this floor. Tasks are hints: they may be lost or come twice."""

import logging
import time
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from channels_app import tasks as channel_tasks
from notifications import expansion
from notifications.expansion import Batch, finish, unfinished
from notifications.models import Notification
from notifications.schedule import AHEAD, start
from project import stopping
from project.hints import hint
from project.slots import hold_slot

log = logging.getLogger(__name__)

LIFE = 60.0  # seconds after which a task hands over to a new one
# For as long as that a batch may keep SQLite's other writers out; where it took longer, the next
# one is smaller. They come in while that is read and worded (`project/sqlite/`).
HELD = 0.2  # seconds
SMALLEST = 500  # people
# An expansion that has not moved for so long has lost its task.
STUCK = timedelta(seconds=30)


def send(pk: int) -> None:
    """Start a notification whose time has come, expand it and dispatch it."""
    try:
        expanding = start(pk, timezone.now())
        if expanding is not None:
            _expand(expanding)
    except Exception:
        log.exception("Notification %s was not sent to its end; the sweep goes on with it.", pk)


def expand(pk: int) -> None:
    """Go on with an expansion that was cut off."""
    try:
        _expand(pk)
    except Exception:
        log.exception("Notification %s was not expanded to its end; the sweep goes on.", pk)


def _expand(pk: int) -> None:
    began = time.monotonic()
    batches, size = 0, expansion.BATCH
    while (batch := Batch.next_of(pk, size)) is not None:
        if batch.store() is None:
            break
        if settings.SQLITE:
            size = _fitting(size, batch.held)
        batches += 1
        if batches == 2:
            # It is a long one: others begin to send what is there while this goes on.
            channel_tasks.wake()
        if time.monotonic() > began + LIFE or stopping.requested():
            hint("notifications.tasks.expand", pk)
            return
    finish(pk)
    channel_tasks.drain(time.monotonic() - began)


def _fitting(size: int, held: float) -> int:
    """Return how many people are to be the next batch, after so many took so long."""
    fits = int(size * HELD / held) if held else expansion.BATCH
    return min(expansion.BATCH, max(SMALLEST, min(fits, 2 * size)))


def sweep() -> None:
    """Start what is due, wait for what is due within the minute, heal lost hints."""
    try:
        now = timezone.now()
        for pk in list(unfinished(now)):
            finish(pk)
        stuck = Notification.objects.expanding().filter(updated_at__lt=now - STUCK)
        for pk in stuck.values_list("pk", flat=True)[:50]:
            hint("notifications.tasks.expand", pk)
        # One a host waits: more would only hold up the workers.
        with hold_slot("schedule", 1) as slot:
            if slot is not None:
                _start_due()
    except Exception:
        log.exception("The sweep failed; the next one comes soon.")


def _start_due() -> None:
    ends = time.monotonic() + LIFE
    while time.monotonic() < ends and not stopping.requested():
        now = timezone.now()
        for pk in (
            Notification.objects.due(now).order_by("due_at").values_list("pk", flat=True)[:50]
        ):
            expanding = start(pk, now)
            if expanding is not None:
                hint("notifications.tasks.expand", expanding)
        if not Notification.objects.due(timezone.now() + AHEAD).exists():
            return
        time.sleep(0.5)
