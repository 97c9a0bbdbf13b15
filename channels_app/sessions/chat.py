"""Sessions in the chat window: what the contact says there, and what is shown to them.

docs/chat.md has the decisions.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from django.db import IntegrityError, transaction
from django.db.models import Exists, Q
from django.utils.dateformat import format as dateformat

from channels_app.http.headers import storable
from channels_app.models import (
    AttachmentType,
    Channel,
    ChatMessage,
    Event,
    EventKind,
    Message,
    Session,
    WorkType,
)
from channels_app.models.channel import Kind
from channels_app.models.session import SessionQuerySet
from channels_app.models.work_type import WorkTypeQuerySet
from channels_app.payload import NotePayload
from channels_app.sessions.faces import Face, register_face
from channels_app.sessions.locking import locked
from channels_app.sessions.people import person_behind
from channels_app.sessions.services import Said, accept_message, open_session
from channels_app.signals import contact_seen

TEXT_MAX = 4000  # characters
LOGIN = "login"  # the session's attribute that says who the contact is
TRIES = 5  # looks for an open session, which may end or be opened elsewhere in that moment


class Unfit(ValueError):
    """It can't be sent as it is. The message says why, for people."""


class NobodyAnswers(Exception):
    """Nobody answers what is written here. The message says so, for people."""

    def __init__(self) -> None:
        super().__init__("Not sent: nobody answers here at the moment.")


@register_face
class ChatFace(Face):
    kind = Kind.CHAT
    ends_unanswered = False

    def payload(self, event: Event, message: Message | None) -> Mapping[str, Any] | None:
        if message is not None:
            return _shown(message)
        match event.kind:
            case EventKind.AGENT_JOINED:
                return _note(f"{event.data['agentAlias']} joined")
            case EventKind.SESSION_END:
                return _note("The conversation has ended. Write again at any time.")
            case EventKind.NEW_SESSION if event.data["status"] == "FAILED":
                return _note("Nobody can answer here at the moment. Please try again later.")
        return None

    def recipient(self, session: Session) -> str:
        """Return the login: a person's answers are found in the log beside what they got."""
        return str(session.attributes.get(LOGIN) or session.contact_name)

    def when_closed(self, work_type: WorkType, now: datetime) -> str:
        words, opens = "We are closed now.", work_type.opens_next(now)
        if opens is None:
            return words
        zone = work_type.tenant.zone
        there = opens.astimezone(zone)
        is_today = there.date() == now.astimezone(zone).date()
        return f"{words} We answer from {dateformat(there, 'H:i T' if is_today else 'D H:i T')}."


def _shown(message: Message) -> dict[str, Any]:
    text, url = message.text, message.attachment_url
    shown: dict[str, Any]
    if url and message.attachment_type == AttachmentType.IMAGE:
        shown = {"type": "IMAGE", "url": url, "text": text}
    elif url:
        name = message.attachment_name or message.attachment_type
        shown = {"type": "CARD", "text": text, "actions": [{"title": name, "url": url}]}
    else:
        shown = {"type": "TEXT", "text": text}
    if message.agent is not None:
        shown["sender"] = message.author_name
    return {name: value for name, value in shown.items() if value}


def _note(text: str) -> NotePayload:
    return {"type": "NOTE", "text": text}


# --- what the contact says ----------------------------------------------------------------------


def is_answered(channel: Channel, contact: str) -> bool:
    """Whether what this contact writes comes to anybody."""
    somebody = Q(Exists(_default(channel))) | Q(Exists(_open(channel, contact)))
    return Channel.objects.active().filter(somebody, pk=channel.pk).exists()


def fit(text: str) -> str:
    """Return what is kept of a text, or raise Unfit."""
    text = storable(text).replace("\r\n", "\n").replace("\r", "\n").strip()
    if not text:
        raise Unfit("Write something first.")
    if len(text) > TEXT_MAX:
        raise Unfit(
            f"Not sent: it has {len(text):,} characters, and {TEXT_MAX:,} is the most. "
            "Send it in parts."
        )
    return text


def answer(channel: Channel, contact: str, text: str, token: str) -> ChatMessage:
    """Take what the contact says into their open session, or into a new one.

    The same text with the same ``token`` is taken once, and the first one returned, whenever and
    at whichever window it comes again. Raises Unfit and NobodyAnswers.
    """
    text = fit(text)
    # Asked before and after the lock: a late repeat opens no session, one at the same time waits.
    shown = known(channel, contact, text, token)
    if shown is None:
        with transaction.atomic():
            session = _conversation(channel, contact)
            shown = known(channel, contact, text, token)
            shown = shown or _say(session, text, _public_id(channel, contact, text, token))
    contact_seen.send_robust(sender=Channel, channel=channel, address=contact)
    return shown


def known(channel: Channel, contact: str, text: str, token: str) -> ChatMessage | None:
    """Return what was taken of this contact already: the same text with the same token."""
    public_id = _public_id(channel, contact, text, token)
    return ChatMessage.objects.window(channel, contact).filter(said__public_id=public_id).first()


def _public_id(channel: Channel, contact: str, text: str, token: str) -> UUID:
    return uuid5(channel.public_id, "\n".join((contact, storable(token), text)))


def _say(session: Session, text: str, public_id: UUID) -> ChatMessage:
    message = accept_message(session, Said(text=text), public_id=public_id)
    return ChatMessage.objects.create(
        channel=session.channel,
        contact=session.contact,
        said=message,
        payload={"type": "TEXT", "text": text},
        sent_at=message.at,
        read_at=message.at,  # they know what they said
    )


def _conversation(channel: Channel, contact: str) -> Session:
    """Return the contact's open session, locked. Raises NobodyAnswers."""
    if not channel.is_active:
        raise NobodyAnswers
    for _ in range(TRIES):
        found = _open(channel, contact).first() or _begin(channel, contact)
        if found is not None and (session := locked(found.pk)).is_open:
            return session
    raise RuntimeError(f"No session of a contact on channel {channel.pk} stays open.")


def _begin(channel: Channel, contact: str) -> Session | None:
    """Open a session; None where another of the contact's windows was faster."""
    work_type = _default(channel).first()
    if work_type is None:
        raise NobodyAnswers
    person = person_behind(channel, contact)
    try:
        return open_session(
            channel,
            client=None,
            work_type=work_type.code,
            contact=contact,
            contact_name=person.name,
            attributes={LOGIN: person.login},
        )
    except IntegrityError:
        if _open(channel, contact).exists():  # session_one_open
            return None
        raise


def _default(channel: Channel) -> WorkTypeQuerySet:
    return WorkType.objects.of(channel.tenant).active().filter(is_default=True)


def _open(channel: Channel, contact: str) -> SessionQuerySet:
    return Session.objects.open().filter(channel=channel, contact=contact)
