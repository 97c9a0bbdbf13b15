"""How a session's records say things: events, how it ended, how long it took."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from channels_app.log.words import span
from channels_app.models import EndedBy, Event, EventKind, Session, SessionState


def told(event: Event, session: Session, work_types: Mapping[str, str]) -> str:
    """Say what happened; ``work_types`` gives their names by ID, as they are now."""
    data = event.data
    who, why = _text(data, "agentAlias"), _text(data, "statusMessage") or "no reason was given"
    code = _text(data, "worktypeId")
    said = {
        EventKind.AGENT_JOINED: f"{who or 'An agent'} joined",
        EventKind.SESSION_REROUTE: f"{event.by or 'An agent'} transferred it to "
        + (who or f"work type {work_types.get(code, code)}"),
        EventKind.SESSION_END: ended(session, by=event.by),
        EventKind.MESSAGE_STATUS: f"Message not processed: {why}",
        EventKind.OFFERED: f"Offered to {who} for {_text(data, 'seconds')} s",
        EventKind.PASSED: f"{who} did not take it",
        EventKind.NEW_SESSION: "Came up",
    }
    kind = EventKind(event.kind)
    if kind == EventKind.NEW_SESSION and data.get("status") == "FAILED":
        return f"Did not come up: {why}"
    return said.get(kind) or str(kind.label)


def ended(session: Session, *, by: str = "") -> str:
    """Say who or what ended it; empty while it is open."""
    if session.state == SessionState.FAILED:
        return "Never came up"
    if session.state != SessionState.ENDED:
        return ""
    said = {
        EndedBy.CONTACT: "Ended by the contact",
        EndedBy.AGENT: f"Ended by {by or session.agent or 'an agent'}",
        EndedBy.LIMIT: "Ended at the time limit",
        EndedBy.FAR_END: "Ended by the far end",
    }
    return said.get(EndedBy(session.ended_by), "Ended") if session.ended_by else "Ended"


def waited(session: Session, now: datetime) -> str:
    """How long it waited for the agent who has it, had it last, or is to come; empty: not at all.

    After a transfer it is the wait since then.
    """
    if session.waiting_since is None:
        return ""
    until = session.joined_at or session.ended_at or now
    return span(until - session.waiting_since)


def lasted(session: Session, now: datetime) -> str:
    """How long it has been there, or was."""
    return span((session.ended_at or now) - session.created_at)


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name, "")
    return value if isinstance(value, str) else str(value)
