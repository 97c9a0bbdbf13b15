"""What a session's page says, in a bounded number of queries."""

import json
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q

from channels_app.log.words import Clock
from channels_app.models import Author, EventKind, Session, WorkType
from channels_app.records.entries import Entries, Place, Shown, entries
from channels_app.records.life import STATIONS, Life, lay_out
from channels_app.records.words import ended, lasted, told, waited

MOST_STATIONS = 100  # that are drawn; a session handed on all day long has no more to tell
MOST_TICKS = 5000  # messages that are drawn, the newest


@dataclass(frozen=True, slots=True)
class SessionPage:
    session: Session
    life: Life
    standing: str
    agents: str  # all who joined, in their order
    attributes: list[tuple[str, str]]
    times: dict[str, str]
    line: Entries
    shown: Shown

    @classmethod
    def of(
        cls, session: Session, clock: Clock, *, shown: Shown, before: Place | None
    ) -> "SessionPage":
        names = dict(WorkType.objects.of(session.tenant).values_list("code", "name"))
        stations = list(session.events.filter(kind__in=STATIONS).order_by("pk")[:MOST_STATIONS])
        told_of = [(event, told(event, session, names)) for event in stations]
        counts = session.messages.aggregate(
            theirs=Count("pk", filter=Q(author=Author.CONTACT)),
            ours=Count("pk", filter=~Q(author=Author.CONTACT)),
        )
        said = session.messages.order_by("-pk").values_list("at", "author")[:MOST_TICKS]
        joined = (
            str(event.data.get("agentAlias", ""))
            for event in stations
            if event.kind == EventKind.AGENT_JOINED
        )
        return cls(
            session=session,
            life=lay_out(session, told_of, said, (counts["theirs"], counts["ours"]), clock),
            standing=standing(session, clock),
            agents=", ".join(dict.fromkeys(joined)) or str(session.agent or ""),
            attributes=[(name, _in_short(value)) for name, value in session.attributes.items()],
            times={
                name: clock.full(moment)
                for name in ("created_at", "ends_at", "ended_at")
                if (moment := getattr(session, name))
            },
            line=entries(session, clock, shown=shown, work_types=names, before=before),
            shown=shown,
        )


def standing(session: Session, clock: Clock) -> str:
    """Say in a sentence how a session stands."""
    now = clock.now
    if session.ended_at:
        why = f": {session.reason}" if session.reason else ""
        said = f"{ended(session)} {clock.when(session.ended_at)}{why}."
        return f"{said} It lasted {lasted(session, now)}."
    if session.state == "waiting":
        offered = f", offered to {session.offered_to}" if session.offered_to else ""
        return f"Waits for an agent since {waited(session, now)}{offered}."
    if session.state == "active":
        waiting = waited(session, now)
        return f"With {session.agent}" + (f", after waiting {waiting}." if waiting else ".")
    return "Is to come up." if session.state == "opening" else "Nobody here needs to answer."


def _in_short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
