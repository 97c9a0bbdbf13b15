"""Starting what is due now: all of it by one task, however many hinted at it."""

import logging
import time

from django.utils import timezone

from channels_app import tasks as channel_tasks
from notifications.expansion import BATCH, expand_batch, finish
from notifications.models import Notification
from notifications.schedule import start
from project.hints import hint, hint_watcher, watch

log = logging.getLogger(__name__)

TASK = "notifications.due.start_due"
AT_ONCE = 50  # notifications in one look; the next look, which others do, takes those behind


def wake() -> None:
    """Tell the workers that a notification is due, once it is stored."""
    hint_watcher(TASK)


def start_due() -> None:
    """Start, expand and dispatch what is due, while another worker looks out for more."""
    began = time.monotonic()
    try:
        if watch("due", _start_all):
            hint(TASK)
            channel_tasks.drain(time.monotonic() - began)
    except Exception:
        log.exception("What is due was not started; the sweep does it.")


def _start_all() -> bool:
    """Start all that is due; True when anything was, so not for what can't be started."""
    started = 0
    now = timezone.now()
    due = Notification.objects.due(now).order_by("due_at").values_list("pk", flat=True)
    for pk in list(due[:AT_ONCE]):
        try:
            expanding = start(pk, now)
            if expanding is not None:
                _expand(expanding)
                started += 1
        except Exception:
            log.exception("Notification %s was not started; the sweep goes on with it.", pk)
    return started > 0


def _expand(pk: int) -> None:
    """Expand a small one here; a large one gets a task of its own."""
    people = expand_batch(pk)
    if people is None or people < BATCH:
        if people is not None:
            expand_batch(pk)  # says that there is nobody left
        finish(pk)
    else:
        hint("notifications.tasks.expand", pk)
