"""One time line of all that a session's records hold, read newest first, a page at a time.

Five tables have a part in it. Of each, the newest rows before a place are read, as many as a page
has, and merged: so a page costs the same few queries however long the session is.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet

from channels_app.log.callbacks import event_of
from channels_app.log.pages import Link
from channels_app.log.paging import BIGINT_MAX, EPOCH, LAST_MOMENT
from channels_app.log.words import Clock, outcome, took
from channels_app.models import (
    Attempt,
    Author,
    Delivery,
    EventKind,
    InboundEvent,
    Message,
    MessageState,
    Session,
)
from channels_app.models.session import ORIGIN
from channels_app.operations import REPLAY
from channels_app.payload import Piece, pieces
from channels_app.records.words import told

PAGE = 200
M = TypeVar("M", bound=Model)
_PLACE = re.compile(r"([0-9]{1,17})\.([0-4])\.([0-9]{1,19})")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where an entry stands: its moment, then its table (so causes come first), then its key."""

    at: datetime
    table: int
    pk: int

    def __str__(self) -> str:
        return f"{(self.at - EPOCH) // timedelta(microseconds=1)}.{self.table}.{self.pk}"

    @classmethod
    def read(cls, text: str) -> "Place | None":
        """Read what `str` gave; None where it is something else."""
        if not (found := _PLACE.fullmatch(text)):
            return None
        moment = EPOCH + timedelta(microseconds=min(int(found[1]), LAST_MOMENT))
        return cls(moment, int(found[2]), min(int(found[3]), BIGINT_MAX))


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. What is empty is not shown."""

    place: Place
    kind: str  # message, event, try, inbound, delivery
    words: str
    author: str = ""  # of a message: contact, agent, system
    text: tuple[Piece, ...] = ()
    attachment: Link | None = None
    attachment_type: str = ""
    href: str = ""  # where it may be opened; not before it was judged, as it may point inside
    problem: str = ""
    delivery: Delivery | None = None
    delivery_of: str = "Callback"
    attempt: Attempt | None = None
    took: str = ""
    outcome: str = ""
    inbound: InboundEvent | None = None
    day: str = ""  # where another day begins
    time: str = ""
    full: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a reader may see beside messages and events."""

    tries: bool
    inbound: bool
    only_talk: bool = False


@dataclass(frozen=True, slots=True)
class Entries:
    entries: list[Entry]
    earlier: str  # the place before which there are more; empty at the beginning


def entries(
    session: Session,
    clock: Clock,
    *,
    shown: Shown,
    work_types: Mapping[str, str],
    before: Place | None = None,
    size: int = PAGE,
) -> Entries:
    """Return a page of the session's time line, in order of time."""
    found = sorted(_before(session, shown, work_types, before, size + 1), key=lambda e: e.place)
    page = found[-size:]
    earlier = str(page[0].place) if len(found) > size else ""
    return Entries(list(_dated(page, clock)), earlier)


def deliveries_of(session: Session) -> QuerySet[Delivery]:
    """What carried this session to its far end: its events, and replays of those."""
    every = Delivery.objects.order_by()
    own = every.of_origin(ORIGIN, session.pk)
    replays = every.filter(origin_kind=REPLAY, origin_id__in=own.values("pk"))
    each = [own.values("pk"), replays.values("pk")]
    if session.opening_id:
        each.append(every.filter(pk=session.opening_id).values("pk"))
    return Delivery.objects.filter(pk__in=each[0].union(*each[1:], all=True))


def _before(
    session: Session,
    shown: Shown,
    work_types: Mapping[str, str],
    before: Place | None,
    number: int,
) -> Iterator[Entry]:
    def newest(rows: QuerySet[M], table: int, moment: str = "at") -> Iterator[M]:
        if before is not None:
            tied = Q(**{moment: before.at})
            earlier = Q(**{f"{moment}__lt": before.at})
            if table < before.table:
                earlier |= tied
            elif table == before.table:
                earlier |= tied & Q(pk__lt=before.pk)
            rows = rows.filter(earlier)
        yield from rows.order_by(f"-{moment}", "-pk")[:number]

    for message in newest(session.messages.filter(event=None), 1):
        yield _message(message, Place(message.at, 1, message.pk), None)
    happened = session.events.select_related("delivery__channel", "message__agent")
    if shown.only_talk:
        happened = happened.filter(kind=EventKind.MESSAGE)
    for event in newest(happened, 2):
        place, said = Place(event.at, 2, event.pk), getattr(event, "message", None)
        if said is not None:
            yield _message(said, place, event.delivery)
        else:
            yield Entry(place, "event", told(event, session, work_types), delivery=event.delivery)
    if shown.only_talk:
        return
    others = deliveries_of(session).filter(session_event=None).select_related("channel")
    for delivery in newest(others, 3, "created_at"):
        yield _delivery(delivery, Place(delivery.created_at, 3, delivery.pk))
    if shown.tries:
        tries = Attempt.objects.filter(delivery__in=deliveries_of(session).values("pk"))
        tries = tries.select_related("delivery")
        for attempt in newest(tries, 4, "started_at"):
            yield _try(attempt)
    if shown.inbound:
        for inbound in newest(session.inbound_events.all(), 0, "received_at"):
            place = Place(inbound.received_at, 0, inbound.pk)
            kind = inbound.kind or "An event"
            words, problem = f"{kind} came in", inbound.reason
            yield Entry(place, "inbound", words, inbound=inbound, problem=problem)


def _message(message: Message, place: Place, delivery: Delivery | None) -> Entry:
    link = None
    if message.attachment_url:
        link = Link(message.attachment_name or message.attachment_url, message.attachment_url)
    problem, is_judged = "", message.state == MessageState.PROCESSED
    if message.state == MessageState.FAILED:
        problem = f"Not processed: {message.reason or 'no reason was given'}"
    elif message.state == MessageState.ACCEPTED:
        problem = "Kept until the session has come up"
    return Entry(
        place,
        "message",
        message.author_name or str(Author(message.author).label),
        author=message.author,
        text=tuple(pieces(message.text)),
        attachment=link,
        attachment_type=message.attachment_type,
        href=link.href if link and is_judged else "",
        problem=problem,
        delivery=delivery,
    )


def _delivery(delivery: Delivery, place: Place) -> Entry:
    if delivery.origin_kind == REPLAY:
        said = event_of(delivery.payload) or "A message"
        words = f"{said}: sent once more, as a replay of delivery {delivery.origin_id}"
    else:
        words = "To be opened at the far end"
    return Entry(place, "delivery", words, delivery=delivery, delivery_of="Delivery")


def _try(attempt: Attempt) -> Entry:
    said = event_of(attempt.delivery.payload)
    of = f"{said}, try {attempt.number}" if said else f"Try {attempt.number}"
    return Entry(
        Place(attempt.started_at, 4, attempt.pk),
        "try",
        of,
        delivery=attempt.delivery,
        attempt=attempt,
        took=took(attempt.duration),
        outcome=outcome(attempt),
    )


def _dated(page: list[Entry], clock: Clock) -> Iterator[Entry]:
    last: Any = None
    for entry in page:
        local = entry.place.at.astimezone(clock.zone)
        day = clock.day(entry.place.at) if local.date() != last else ""
        last = local.date()
        time = f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"
        full = f"{clock.full(entry.place.at)}.{local.microsecond // 1000:03d}"
        yield replace(entry, day=day, time=time, full=full)
