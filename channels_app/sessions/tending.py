"""What the workers do for sessions: bring up what was opened, end what is over, move offers on."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from channels_app.models import Delivery, Session, State
from channels_app.models.session import ORIGIN
from channels_app.sessions.in_turn import in_turn
from channels_app.sessions.routing import route, tenants_to_route
from channels_app.sessions.services import bring_up, end_at_limit, release
from channels_app.sessions.waking import TASK
from channels_app.tasks import drain
from project.hints import hint, watch

log = logging.getLogger(__name__)

FRESH = timedelta(seconds=2)
GLANCE = 1.0  # seconds of one look; the next look takes those behind


_also: list[Callable[[], object]] = []


def swept(deed: Callable[[], object]) -> Callable[[], object]:
    """Decorator: the sweep does this as well, whatever becomes of the rest."""
    _also.append(deed)
    return deed


def tend() -> None:
    """Bring up what was opened and tell of what happened, while another worker looks out.

    A conversation makes a row every few seconds, each of which somebody waits for: a look each
    tenth of a second finds it sooner than a task for it would be taken from the queue.
    """
    began = time.monotonic()
    try:
        if watch("sessions", _look):
            hint(TASK)
            drain(time.monotonic() - began)
    except Exception:
        log.exception("Sessions were not tended; the sweep does it.")


def _look() -> bool:
    return bring_up_all() or _anything_to_tell()


def _anything_to_tell() -> bool:
    """Whether an event was stored just now. What is older waits for its turn, or for a retry:
    then a dispatch loop is there already, or the sweep starts one."""
    now = timezone.now()
    fresh = Delivery.objects.filter(state=State.QUEUED, due_at__gt=now - FRESH, due_at__lte=now)
    return fresh.filter(origin_kind=ORIGIN).exists()


def sweep() -> None:
    """Do what lost its hint, and what time alone brings about."""
    try:
        bring_up_all()
        end_overdue()
        release_stranded()
        _route_all()
    except Exception:
        log.exception("The sweep of sessions failed; it comes again soon.")
    for deed in _also:
        try:
            deed()
        except Exception:
            log.exception("A part of the sweep of sessions failed; it comes again soon.")


def bring_up_all() -> bool:
    """Bring up provisional sessions; True when there was any, so not for what can't be."""
    return in_turn(Session.objects.opening().order_by("pk"), bring_up, seconds=GLANCE) > 0


def release_stranded() -> None:
    """Let others take the sessions of agents who may not answer any more."""
    in_turn(Session.objects.stranded().order_by("pk"), release)


def _route_all() -> None:
    now = timezone.now()
    for tenant in tenants_to_route(now):
        try:
            route(tenant, now)
        except Exception:
            log.exception("Sessions of %s were not offered; the sweep tries again.", tenant)


def end_overdue() -> None:
    """End the sessions whose time is over."""
    in_turn(Session.objects.overdue(timezone.now()).order_by("ends_at"), end_at_limit)
