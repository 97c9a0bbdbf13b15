"""The middle column: what was said, and what was said in the chat window before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from urllib.parse import unquote, urlsplit
from uuid import UUID

from django.conf import settings

from channels_app.chat_window import Bubble
from channels_app.connectors.base import connector_for
from channels_app.models import (
    AttachmentType,
    Author,
    Channel,
    ChatMessage,
    Message,
    MessageState,
    Session,
    State,
)
from channels_app.models.channel import Kind
from channels_app.models.delivery import OPEN
from channels_app.models.session import ORIGIN
from channels_app.payload import Piece, pieces, url_problem

PAGE = 100  # messages drawn at once
BURST = 1000  # that a live page gets at once
BEFORE = 10  # messages of the chat window above a session
LONG = 1500  # characters, above which a text scrolls in itself


@dataclass(frozen=True, slots=True)
class Utterance:
    """A message as it is drawn. Only a URL that an agent may safely open is left in it."""

    id: int
    public_id: UUID
    by: str  # contact, agent, system
    name: str
    at: datetime
    text: tuple[Piece, ...]
    is_long: bool
    attachment: str  # Image, File, Audio, Video
    url: str
    host: str  # of a picture that is fetched only when asked for
    file_name: str
    problem: str  # why the contact's message could not be processed
    state: str  # of its delivery
    state_word: str
    delivery: int | None
    is_under_way: bool

    @classmethod
    def of(cls, message: Message, known: frozenset[str]) -> Self:
        """``known``: hosts whose pictures are fetched unasked, see `hosts_named`."""
        delivery = message.event.delivery if message.event else None
        failed = message.state == MessageState.FAILED
        # What was refused, perhaps as it points inside, is not opened by a browser in here.
        url = "" if failed or url_problem(message.attachment_url) else message.attachment_url
        host = _host(url) if message.author == Author.CONTACT else ""
        return cls(
            id=message.pk,
            public_id=message.public_id,
            by=message.author,
            name=message.author_name,
            at=message.at,
            text=tuple(pieces(message.text)),
            is_long=len(message.text) > LONG,
            attachment=message.attachment_type,
            url=url,
            host="" if host in known else host,
            file_name=message.attachment_name or _name_in(message.attachment_url),
            problem=message.reason if failed else "",
            state=delivery.state if delivery else "",
            state_word=State(delivery.state).label.lower() if delivery else "",
            delivery=delivery.pk if delivery else None,
            is_under_way=delivery is not None and delivery.state in OPEN,
        )

    @property
    def is_picture(self) -> bool:
        return self.attachment == AttachmentType.IMAGE and bool(self.url)

    @property
    def is_ours(self) -> bool:
        return self.by != Author.CONTACT


def hosts_named(channel: Channel) -> frozenset[str]:
    """The hosts that people who run this have named in the channel's settings.

    A picture from anywhere else is fetched only when the agent asks for it. Whoever sent its
    address would learn the agent's own, and a name that leads inside would be asked for there,
    or Carillon itself, as the agent.
    """
    urls = [one.name for one in connector_for(channel.kind).settings if one.kind == "url"]
    hosts = {_host(str(channel.setting(name))) for name in urls}
    return frozenset(hosts - {"", _host(settings.BASE_URL)})


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _name_in(url: str) -> str:
    """The last part of a URL's path, as a file's name."""
    return unquote(url.partition("?")[0].rpartition("/")[2])[:80]


@dataclass(frozen=True, slots=True)
class Page:
    utterances: Sequence[Utterance]
    earlier: int | None  # the id before which there are more


def talk(session: Session, *, since: int = 0, before: int | None = None) -> Page:
    """Return the last messages of a session from the id ``since`` on, or the page before one."""
    rows = Message.objects.of_session(session).select_related("event__delivery")
    known = hosts_named(session.channel)
    if since:  # what a live page lacks; it looks again before there is more
        return Page([Utterance.of(row, known) for row in rows.filter(pk__gte=since)[:BURST]], None)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: PAGE + 1])
    shown = [Utterance.of(message, known) for message in found[:PAGE][::-1]]
    return Page(shown, shown[0].id if len(found) > PAGE else None)


@dataclass(frozen=True, slots=True)
class Before:
    """A message that stood in the chat window before the session, such as what is answered."""

    bubble: Bubble
    is_ours: bool


def said_before(session: Session) -> list[Before]:
    """Return what stood last in the contact's chat window; nothing over another channel."""
    if session.channel.kind != Kind.CHAT:
        return []
    rows = ChatMessage.objects.window(session.channel, session.contact)
    rows = rows.filter(sent_at__lte=session.created_at).select_related("delivery")
    rows = rows.exclude(said__session=session)
    rows = rows.exclude(delivery__origin_kind=ORIGIN, delivery__origin_id=session.pk)
    last = rows.order_by("-pk")[:BEFORE]
    return [Before(Bubble.of(row), row.delivery_id is not None) for row in reversed(last)]
