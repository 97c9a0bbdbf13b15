"""Carrying out what an Alvaria's callbacks say: in the background, in order, each once.

An event and what it does are one transaction, with the session's row locked; so whoever comes
second finds it done, and nobody goes on with an event before the one ahead of it is done.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from channels_app.models import InboundEvent, InboundState, Session
from channels_app.models.channel import Kind
from channels_app.sessions.locking import locked
from channels_app.sessions.tending import swept
from channels_app.vendors.alvaria.happenings import NotUnderstood, NotYet, happen
from channels_app.vendors.alvaria.waking import TASK
from project.hints import hint, watch

log = logging.getLogger(__name__)

AT_ONCE = 500  # events that are read at once
# So long an event waits for what it is about: the answer that names its session may be on its way.
PATIENCE = timedelta(minutes=5)


class _HeldUp(Exception):
    """The event waits for its session, and those behind it wait for the event."""


def carry_out() -> None:
    """Carry out what has come, while another worker looks out for more."""
    try:
        if watch("callbacks", carry_out_all):
            hint(TASK)
    except Exception:
        log.exception("Callbacks were not carried out; the sweep does it.")


@swept
def carry_out_all() -> bool:
    """Carry out all that is pending; True when any of it was."""
    done, last = 0, 0
    held: set[tuple[int, str]] = set()  # sessions of which an event could not be carried out yet
    while True:
        waiting = InboundEvent.objects.pending().filter(channel__kind=Kind.ALVARIA, pk__gt=last)
        events = list(waiting.values_list("pk", "channel", "body")[:AT_ONCE])
        for session, its in _by_session(events).items():
            if session not in held:
                some, is_held = _in_order(session[0], its)
                done += some
                if is_held:
                    held.add(session)
        if len(events) < AT_ONCE:
            return done > 0
        last = events[-1][0]


def session_id_of(body: Any) -> str:
    value = body.get("sessionId") if isinstance(body, dict) else None
    return value if isinstance(value, str) else ""


def _by_session(
    events: Iterable[tuple[int, int, Any]],
) -> dict[tuple[int, str], list[tuple[int, str]]]:
    """Return the events of each session, with its name as each has it: in whichever case."""
    found: dict[tuple[int, str], list[tuple[int, str]]] = defaultdict(list)
    for pk, channel, body in events:
        named = session_id_of(body)
        found[channel, named.lower()].append((pk, named))
    return found


def _in_order(channel: int, events: Iterable[tuple[int, str]]) -> tuple[int, bool]:
    """Carry out a session's events; returns how many, and whether one holds up those behind it."""
    done = 0
    for pk, session_id in events:
        try:
            with transaction.atomic():
                done += _carry_out(channel, session_id, pk)
        except _HeldUp:
            return done, True
        except Exception as error:
            log.exception("Inbound event %s was left as it is; the sweep tries again.", pk)
            if not _give_up(pk, error):
                return done, True
    return done, False


def _carry_out(channel: int, session_id: str, pk: int) -> bool:
    session = _session(channel, session_id)
    event = InboundEvent.objects.select_related("channel__tenant").get(pk=pk)
    if event.state != InboundState.PENDING:
        return False
    now = timezone.now()
    event.session, event.processed_at = session, now
    try:
        event.reason = happen(event, session, now)[:200]
        event.state = InboundState.PROCESSED
    except NotUnderstood as problem:
        event.reason, event.state = str(problem)[:200], InboundState.UNKNOWN
    except NotYet as problem:
        if now - event.received_at < PATIENCE:
            if session is None:  # it may get its name before the next event is looked at
                raise _HeldUp from problem
            return False
        event.reason, event.state = str(problem)[:200], InboundState.UNKNOWN
    event.save(update_fields=["session", "processed_at", "reason", "state"])
    return True


def _session(channel: int, session_id: str) -> Session | None:
    """Lock and return the session that the far end calls so, in whichever case it writes it."""
    if not session_id or len(session_id) > 100:
        return None
    names = {session_id, session_id.lower(), session_id.upper()}
    found = Session.objects.filter(channel=channel, vendor_id__in=names).order_by("-pk")
    pk = found.values_list("pk", flat=True).first()
    return locked(pk) if pk else None


def _give_up(pk: int, error: Exception) -> bool:
    """Let an event be that fails again and again; False while it is to be tried again.

    Counted from its first failure: it may have come long before, while no worker was there. What
    the database refuses for a moment is no matter of the event's.
    """
    if isinstance(error, OperationalError | InterfaceError):
        return False
    now, event = timezone.now(), InboundEvent.objects.pending().filter(pk=pk)
    event.filter(failing_since=None).update(failing_since=now)
    return bool(
        event.filter(failing_since__lt=now - PATIENCE).update(
            state=InboundState.UNKNOWN,
            reason=f"It could not be carried out: {type(error).__name__}",
            processed_at=now,
        )
    )
