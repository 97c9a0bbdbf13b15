"""A session's transcript, streamed: as text for people, as JSON for systems (docs/sessions.md)."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from heapq import merge
from itertools import chain
from typing import Any, Literal, TypeAlias

from django.db.models import Q, QuerySet

from channels_app.log.words import Clock
from channels_app.models import Author, Event, EventKind, Message, MessageState, Session, WorkType
from channels_app.records.words import ended, told
from project.access.audit import Actor, record

Form: TypeAlias = Literal["txt", "json"]
CHUNK = 500  # rows a query
INDENT = " " * 10  # under the time, so that no line of a text passes for somebody else's
# What the conversation's readers need not know: offers are among agents, and a message that was
# not processed says so itself.
_UNSAID = (EventKind.MESSAGE, EventKind.MESSAGE_STATUS, EventKind.OFFERED, EventKind.PASSED)
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def transcript(session: Session, form: Form, *, by: Actor, clock: Clock) -> Iterator[bytes]:
    """Write the download to the audit trail now and return its bytes, to be taken as they come.

    It is read by key in chunks: no transaction stays open, and memory stays flat.
    """
    record(by, "session.transcript", tenant=session.tenant, target=session, format=form)
    written = _text(session, clock) if form == "txt" else _json(session, clock)
    return (piece.encode("utf-8", "replace") for piece in written)


def _happened(session: Session, events: QuerySet[Event]) -> Iterator[Message | Event]:
    """Give messages and events in order of time; what is added meanwhile may be missing."""
    said = session.messages.select_related("event__delivery")
    both: tuple[Iterable[Message | Event], ...] = (_walk(said), _walk(events))
    yield from merge(*both, key=lambda row: row.at)


def _walk(rows: QuerySet[Any]) -> Iterator[Any]:
    # By their moments first: what a far end told is written down later than it came.
    behind = Q()
    while chunk := list(rows.filter(behind).order_by("at", "pk")[:CHUNK]):
        yield from chunk
        last = chunk[-1]
        behind = Q(at__gt=last.at) | Q(at=last.at, pk__gt=last.pk)


# --- as text ------------------------------------------------------------------------------------


def _text(session: Session, clock: Clock) -> Iterator[str]:
    names = dict(WorkType.objects.of(session.tenant).values_list("code", "name"))
    yield from (f"{line}\n" for line in _head(session, clock))
    day = ""
    for row in _happened(session, session.events.exclude(kind__in=_UNSAID)):
        if day != (day := clock.day(row.at)):
            yield f"\n{day}\n"
        words = _said(row) if isinstance(row, Message) else [told(row, session, names)]
        first, *more = words
        yield f"{row.at.astimezone(clock.zone):%H:%M:%S}  {_plain(first)}\n"
        yield from (f"{INDENT}{_plain(line)}\n" for line in more)


def _head(session: Session, clock: Clock) -> Iterator[str]:
    yield _plain(f"{session.tenant.name}: session {session.pk} with {session.contact_name}")
    yield f"Session ID: {session.public_id}"
    yield _plain(f"Channel: {session.channel.name}")
    yield _plain(f"Work type: {session.work_type or session.asked_work_type or 'none'}")
    yield f"Opened: {clock.full(session.created_at)}"
    if session.ended_at:
        why = f": {session.reason}" if session.reason else ""
        yield _plain(f"{ended(session)}{why}, {clock.full(session.ended_at)}")
    else:
        yield f"Still open, {clock.full(clock.now)}"
    yield f"Times in {session.tenant.time_zone}"


def _said(message: Message) -> list[str]:
    """Return the lines of a message; the first begins with who said it."""
    author = message.author_name or str(Author(message.author).label)
    lines = message.text.splitlines()
    if message.attachment_url:
        name = f" ({message.attachment_name})" if message.attachment_name else ""
        lines.append(f"[{message.attachment_type}] {message.attachment_url}{name}")
    if message.state == MessageState.FAILED:
        lines.append(f"(not processed: {message.reason})")
    first, *more = lines or [""]
    return [f"{author}: {first}", *more]


def _plain(line: str) -> str:
    """Return one line that shows what it is: no breaks, no controls, nothing turned round."""
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", " ".join(line.splitlines()))


# --- as JSON ------------------------------------------------------------------------------------


def _json(session: Session, clock: Clock) -> Iterator[str]:
    yield '{"session": ' + _dumped(_facts(session, clock.now)) + ', "entries": ['
    rows = _happened(session, session.events.exclude(kind=EventKind.MESSAGE))
    between = chain(["\n"], iter(lambda: ",\n", ""))
    for row, comma in zip(rows, between, strict=False):
        yield comma + _dumped(_as_said(row) if isinstance(row, Message) else _as_event(row))
    yield "\n]}\n"


def _facts(session: Session, now: datetime) -> dict[str, Any]:
    work_type, agent = session.work_type, session.agent
    return {
        "id": str(session.public_id),
        "number": session.pk,
        "organization": session.tenant.org_id,
        "channel": {"name": session.channel.name, "kind": session.channel.kind},
        "contact": {"name": session.contact_name, "id": session.contact},
        "work_type": {"id": work_type.code, "name": work_type.name} if work_type else None,
        "asked_work_type": session.asked_work_type or None,
        "agent": agent.alias if agent else None,
        "integration": session.integration or None,
        "attributes": session.attributes,
        "vendor_id": session.vendor_id or None,
        "state": session.state,
        "reason": session.reason or None,
        "opened_at": _utc(session.created_at),
        "ends_at": _utc(session.ends_at),
        "ended_at": _utc(session.ended_at),
        "ended_by": session.ended_by or None,
        "written_at": _utc(now),
    }


def _as_said(message: Message) -> dict[str, Any]:
    delivery = message.event.delivery if message.event else None
    attachment = None
    if message.attachment_url:
        attachment = {
            "type": message.attachment_type,
            "url": message.attachment_url,
            "name": message.attachment_name or None,
        }
    return {
        "type": "message",
        "id": str(message.public_id),
        "at": _utc(message.at),
        "author": {"kind": message.author, "name": message.author_name},
        "text": message.text,
        "attachment": attachment,
        "state": message.state,
        "reason": message.reason or None,
        "delivery_state": delivery.state if delivery else None,
    }


def _as_event(event: Event) -> dict[str, Any]:
    return {
        "type": "event",
        "id": str(event.public_id),
        "at": _utc(event.at),
        "event": event.kind,
        "by": event.by or None,
        "data": event.data,
    }


def _utc(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
