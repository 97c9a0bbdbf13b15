"""The right column: who it is, what came along, what has happened."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from channels_app.models import Event, EventKind, Session, WorkType

TOLD = (EventKind.AGENT_JOINED, EventKind.SESSION_REROUTE)
ATTRIBUTES = 50  # shown; no caller may give more
HAPPENINGS = 50  # the last ones; a far end decides how many there are


class Happening(NamedTuple):
    at: datetime
    words: str


@dataclass(frozen=True, slots=True)
class Contact:
    session: Session
    attributes: tuple[tuple[str, str], ...]
    happenings: tuple[Happening, ...]


def contact_of(session: Session) -> Contact:
    given = tuple((name, _plain(value)) for name, value in session.attributes.items())
    return Contact(session, given[:ATTRIBUTES], tuple(_happenings(session)))


def _happenings(session: Session) -> Iterator[Happening]:
    names = dict(WorkType.objects.of(session.tenant).values_list("code", "name"))
    events = Event.objects.filter(session=session, kind__in=TOLD).order_by("-pk")
    for event in reversed(events[:HAPPENINGS]):
        data = event.data
        if event.kind == EventKind.AGENT_JOINED:
            words = f"{data.get('agentAlias', 'An agent')} joined"
        else:
            code = data.get("worktypeId", "")
            to = data.get("agentAlias") or names.get(code, code)
            words = f"{event.by or 'Carillon'} handed over to {to}"
        yield Happening(event.at, words)


def _plain(value: Any) -> str:
    return "" if value is None else str(value)
