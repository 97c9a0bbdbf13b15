"""What django-q2 runs for this floor. Tasks are hints: they may be lost or come twice."""

import logging
import time
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from channels_app import tasks as channel_tasks
from notifications.expansion import expand_batch, finish, unfinished
from notifications.models import Notification
from notifications.schedule import AHEAD, start
from project import stopping
from project.hints import hint
from project.slots import hold_slot

log = logging.getLogger(__name__)

LIFE = 60.0  # seconds after which a task hands over to a new one
# SQLite has one writer, and those who wait for their turn look again each tenth of a second only:
# without a pause between its batches, an expansion would keep dispatch and web out to its end.
TURN = 0.12  # seconds
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
    ends = time.monotonic() + LIFE
    batches = 0
    while expand_batch(pk) is not None:
        batches += 1
        if settings.SQLITE:
            time.sleep(TURN)
        if batches == 2:
            # It is a long one: others begin to send what is there while this goes on.
            channel_tasks.wake()
        if time.monotonic() > ends or stopping.requested():
            hint("notifications.tasks.expand", pk)
            return
    finish(pk)
    channel_tasks.drain()


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
        log.exception("The sweep failed; it comes again in a minute.")


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
