"""What django-q2 runs for this floor. Tasks are hints: they may be lost or come twice."""

import logging
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from channels_app import channel_notices
from channels_app.dispatch import recover
from channels_app.dispatch.drain import LINGER, Drain
from channels_app.models import Delivery
from project.access.models import AuditEntry
from project.hints import hint
from project.slots import hold_slot

log = logging.getLogger(__name__)


def wake() -> None:
    """Tell the workers that something is due, once the current transaction is committed."""
    hint("channels_app.tasks.drain")


def drain(spent: float = 0.0) -> None:
    """Run a dispatch loop, unless this host has all it may; the running ones find the rows.

    ``spent``: seconds that the calling task has taken already, of which the loop's life is cut,
    so that it is over before the task's time limit.
    """
    try:
        with hold_slot("drain", settings.DRAINS) as slot:
            if slot is None:
                return
            # One loop waits for what falls due soon; the others are there for the load.
            more = Drain(linger=slot == 0, spent=spent, call=wake).run()
        # A row may have come between the first loop's last look and its slot's release; what the
        # others leave, the first one sees.
        if more or (slot == 0 and _anything_by(timezone.now())):
            wake()
    except Exception:
        log.exception("A dispatch loop ended early; the sweep starts another.")


def carry_out_stops() -> None:
    """Cancel all that is queued of stopped origins; the claims leave it alone meanwhile."""
    try:
        while recover.cancel_halted(timezone.now()):
            pass
    except Exception:
        log.exception("A stop was not carried out to its end; the sweep goes on with it.")


def tell_owner(entry: int) -> None:
    """Send a channel's owner what this entry of the audit trail says of it."""
    try:
        channel_notices.tell_owner(AuditEntry.objects.get(pk=entry))
    except Exception:
        log.exception("A channel's owner was not told; the console says the same.")


def sweep() -> None:
    """Heal lost hints: end what is late, give back what stalled, wake workers for what is due."""
    try:
        now = timezone.now()
        while recover.expire(now) or recover.give_back(now):
            pass
        recover.release()
        carry_out_stops()
        if _anything_by(now + LINGER):
            wake()
    except Exception:
        log.exception("The sweep failed; it comes again soon.")


def _anything_by(moment: datetime) -> bool:
    soon = Delivery.objects.next_event()
    return soon is not None and soon <= moment
