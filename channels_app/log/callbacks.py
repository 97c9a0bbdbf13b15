"""Callbacks as a reader of the log sees them: which event it is, and what it says."""

from collections.abc import Iterator, Mapping
from typing import Any

from channels_app.models import EventKind
from channels_app.payload import Stored

_WORDS = {kind.value: str(kind.label) for kind in EventKind}
# The document's fields in people's words; what it has no word for keeps its own name.
_NAMES = {
    "sessionId": "Session ID",
    "eventId": "Event ID",
    "senderId": "Sender",
    "status": "Status",
    "statusMessage": "Status message",
    "messageId": "Message ID",
    "agentAlias": "Agent",
    "worktypeId": "Work type ID",
    "from": "From",
}
_PARTS = ("event", "message")  # told otherwise


def callback_of(payload: Stored) -> Mapping[str, Any]:
    """Return the callback's body; empty where the payload is none."""
    body = payload.get("callback")
    return body if isinstance(body, dict) else {}


def event_of(payload: Stored) -> str:
    """Return which event of a session a delivery tells, in words; empty where it is none."""
    body = callback_of(payload)
    if not body:
        return ""
    name = body.get("event") or ("MESSAGE" if "message" in body else "")
    return _WORDS.get(name, name[:40]) if isinstance(name, str) and name else "Event"


def said_in(payload: Stored) -> Mapping[str, Any]:
    """Return the callback's message: ``text``, ``attachment``; empty where it carries none."""
    said = callback_of(payload).get("message")
    return said if isinstance(said, dict) else {}


def facts_of(payload: Stored) -> Iterator[tuple[str, str]]:
    """Give what else the callback says, as name and value, in the order of the document."""
    body = callback_of(payload)
    known = [name for name in _NAMES if name in body]
    for name in [*known, *(each for each in body if each not in _NAMES and each not in _PARTS)]:
        yield _NAMES.get(name, name), str(body[name])
