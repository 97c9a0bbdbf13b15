"""Carrying out what an Alvaria's callbacks say: in the background, in order, each once.

An event and what it does are one transaction, with the session's row locked; so whoever comes
second finds it done, and nobody goes on with an event before the one ahead of it is done.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
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
    while True:
        waiting = InboundEvent.objects.pending().filter(channel__kind=Kind.ALVARIA, pk__gt=last)
        events = list(waiting.values_list("pk", "channel", "body")[:AT_ONCE])
        for (channel, session_id), pks in _by_session(events).items():
            done += _in_order(channel, session_id, pks)
        if len(events) < AT_ONCE:
            return done > 0
        last = events[-1][0]


def session_id_of(body: Any) -> str:
    value = body.get("sessionId") if isinstance(body, dict) else None
    return value if isinstance(value, str) else ""


def _by_session(events: Iterable[tuple[int, int, Any]]) -> dict[tuple[int, str], list[int]]:
    found: dict[tuple[int, str], list[int]] = defaultdict(list)
    for pk, channel, body in events:
        found[channel, session_id_of(body)].append(pk)
    return found


def _in_order(channel: int, session_id: str, pks: Iterable[int]) -> int:
    """Carry out a session's events; returns how many. What can't be holds up those behind it."""
    done = 0
    for pk in pks:
        try:
            with transaction.atomic():
                done += _carry_out(channel, session_id, pk)
        except Exception as error:
            log.exception("Inbound event %s was left as it is; the sweep tries again.", pk)
            if not _give_up(pk, type(error).__name__):
                break
    return done


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


def _give_up(pk: int, problem: str) -> bool:
    """Let an event be that fails again and again; False while it is to be tried again."""
    return bool(
        InboundEvent.objects.pending()
        .filter(pk=pk, received_at__lt=timezone.now() - PATIENCE)
        .update(
            state=InboundState.UNKNOWN,
            reason=f"It could not be carried out: {problem}",
            processed_at=timezone.now(),
        )
    )
