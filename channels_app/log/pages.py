"""What the log's two pages show, put into words."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from channels_app.log.callbacks import event_of, facts_of, said_in
from channels_app.log.filters import LogFilter
from channels_app.log.words import Clock, outcome
from channels_app.models import AttachmentType, Attempt, Delivery, State
from channels_app.payload import Piece, Stored, pieces, url_problem


@dataclass(frozen=True, slots=True)
class Line:
    """One delivery in the list."""

    delivery: Delivery
    event: str  # of a session, which it tells; empty where it is a message
    when: str
    full: str
    last: str  # what the last try met
    next: str


def lines(deliveries: list[Delivery], clock: Clock) -> list[Line]:
    """Put a page of deliveries into words; asks for their attempts in one query."""
    met = defaultdict[int, list[Attempt]](list)
    for attempt in Attempt.objects.filter(delivery__in=deliveries).order_by("number"):
        met[attempt.delivery_id].append(attempt)
    return [
        Line(
            delivery=delivery,
            event=event_of(delivery.payload),
            when=clock.when(delivery.created_at),
            full=clock.full(delivery.created_at),
            last=outcome(met[delivery.pk][-1]) if met[delivery.pk] else "",
            next=next_try(delivery, clock),
        )
        for delivery in deliveries
    ]


def next_try(delivery: Delivery, clock: Clock) -> str:
    """Say when a queued delivery goes out next; empty for all others."""
    if delivery.state != State.QUEUED:
        return ""
    if delivery.due_at >= delivery.deadline:
        return f"none; expires {clock.when(delivery.deadline)}"
    if not delivery.channel.is_active:
        return "once the channel rests no more"
    if delivery.channel.is_paused and delivery.due_at <= _next_probe(delivery, clock):
        return "waits: the channel is paused"
    return "due now" if delivery.due_at <= clock.now else clock.when(delivery.due_at)


def _next_probe(delivery: Delivery, clock: Clock) -> datetime:
    return max(delivery.channel.paused_until or clock.now, clock.now)


def standing(delivery: Delivery, clock: Clock) -> str:
    """Say in a sentence how a delivery stands."""
    ended = clock.when(delivery.settled_at) if delivery.settled_at else ""
    why = f": {delivery.reason}" if delivery.reason else "."
    taken = clock.when(delivery.claimed_at) if delivery.claimed_at else "a moment ago"
    said = {
        State.QUEUED: _waiting(delivery, clock),
        State.SENDING: f"Try {delivery.attempt_count} is under way since {taken}.",
        State.SENT: f"The channel took it {ended}; arrival is not known.",
        State.DELIVERED: f"The far end confirmed it {ended}.",
        State.FAILED: f"Given up {ended}{why}",
        State.EXPIRED: f"Its deadline passed {ended}"
        + (f"; the last try met: {delivery.reason}" if delivery.reason else "."),
        State.CANCELLED: f"Ended {ended}{why}",
        State.SUPPRESSED: f"Not sent{why}",
    }
    return said[State(delivery.state)]


def _waiting(delivery: Delivery, clock: Clock) -> str:
    if delivery.due_at >= delivery.deadline:
        return f"No try is left; it expires {clock.when(delivery.deadline)}."
    which = "Next" if delivery.attempt_count else "First"
    return f"{which} try {next_try(delivery, clock)}."


def in_words(chosen: LogFilter, clock: Clock) -> str:
    """Say what a filtered list shows, so that a print of it speaks for itself."""
    parts = []
    if chosen.states:
        *most, last = (state.label.lower() for state in chosen.states)
        parts.append(f"{', '.join(most)} or {last}" if most else last)
    if chosen.channel:
        parts.append(f"over {chosen.channel.name}")
    if chosen.recipient:
        parts.append(f"to {chosen.recipient}")
    if chosen.notification is not None:
        parts.append(f"of notification {chosen.notification}")
    if chosen.message:
        parts.append(f"message {chosen.message}")
    if chosen.since:
        parts.append(f"from {clock.full(chosen.since)}")
    if chosen.until:
        parts.append(f"up to {clock.full(chosen.until)}")
    said = ", ".join(parts)
    return f"{said[0].upper()}{said[1:]}." if said else "All deliveries, newest first."


@dataclass(frozen=True, slots=True)
class Link:
    """A URL out of a message; ``href`` is empty where it is not one that may be opened."""

    title: str
    url: str

    @property
    def href(self) -> str:
        return "" if url_problem(self.url) else self.url


@dataclass(frozen=True, slots=True)
class Message:
    """A payload as a reader sees it. What is not as its kind has it stays out of it.

    ``event``: which event of a session it tells; ``facts``: what it says of it, name and value.
    """

    kind: str
    subject: str
    title: str
    text: list[Piece]
    image: Link | None
    actions: list[Link]
    event: str = ""
    facts: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, payload: Stored) -> "Message":
        if event := event_of(payload):
            return cls._of_callback(payload, event)
        image = _text(payload, "image") or _text(payload, "url")
        return cls(
            kind=_text(payload, "type").lower(),
            subject=_text(payload, "subject"),
            title=_text(payload, "title"),
            text=list(pieces(_text(payload, "text"))),
            image=Link(image, image) if image else None,
            actions=list(_actions(payload.get("actions"))),
        )

    @classmethod
    def _of_callback(cls, payload: Stored, event: str) -> "Message":
        said = said_in(payload)
        attachment = said.get("attachment")
        attached = attachment if isinstance(attachment, dict) else {}
        url, kind = _text(attached, "url"), _text(attached, "type")
        is_picture = kind == AttachmentType.IMAGE
        return cls(
            kind="event of a session",
            subject="",
            title="",
            text=list(pieces(_text(said, "text"))),
            image=Link(url, url) if url and is_picture else None,
            actions=[Link(kind or "Attachment", url)]
            if url and kind != AttachmentType.IMAGE
            else [],
            event=event,
            facts=list(facts_of(payload)),
        )

    @property
    def is_empty(self) -> bool:
        return not (self.title or self.text or self.image or self.actions or self.event)


def _text(payload: Stored, name: str) -> str:
    value = payload.get(name, "")
    return value if isinstance(value, str) else ""


def _actions(found: object) -> Iterable[Link]:
    for action in found if isinstance(found, list) else []:
        if isinstance(action, dict):
            yield Link(_text(action, "title"), _text(action, "url"))
