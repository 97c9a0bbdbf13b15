"""What the workers do for sessions: bring up what was opened, end what is over, move offers on."""

import logging
from collections.abc import Callable, Iterable

from django.utils import timezone

from channels_app.models import Session
from channels_app.sessions.routing import route, tenants_to_route
from channels_app.sessions.services import bring_up, end_at_limit
from channels_app.sessions.waking import TASK
from project.hints import hint, watch

log = logging.getLogger(__name__)

AT_ONCE = 200  # sessions in one look; the next look takes those behind


def tend() -> None:
    """Bring up what was opened, while another worker looks out for more."""
    try:
        if watch("sessions", bring_up_all):
            hint(TASK)
    except Exception:
        log.exception("Sessions were not brought up; the sweep does it.")


def sweep() -> None:
    """Do what lost its hint, and what time alone brings about."""
    try:
        bring_up_all()
        end_overdue()
        now = timezone.now()
        for tenant in tenants_to_route(now):
            route(tenant, now)
    except Exception:
        log.exception("The sweep of sessions failed; it comes again soon.")


def bring_up_all() -> bool:
    """Bring up all provisional sessions; True when there was any, so not for what can't be."""
    opening = Session.objects.opening().order_by("pk").values_list("pk", flat=True)
    return _each(opening[:AT_ONCE], bring_up) > 0


def end_overdue() -> None:
    """End the sessions whose time is over."""
    overdue = Session.objects.overdue(timezone.now()).order_by("ends_at")
    _each(overdue.values_list("pk", flat=True)[:AT_ONCE], end_at_limit)


def _each(sessions: Iterable[int], deed: Callable[[int], object]) -> int:
    """Do it to each, whatever becomes of the others; returns how many went well."""
    done = 0
    for pk in list(sessions):
        try:
            deed(pk)
            done += 1
        except Exception:
            log.exception("Session %s was left as it is; the sweep tries again.", pk)
    return done
