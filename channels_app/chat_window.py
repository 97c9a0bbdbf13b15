"""One contact's chat window: which messages it shows, and how they are drawn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from channels_app.http.headers import storable
from channels_app.models import Channel, ChatMessage, MessageState
from channels_app.payload import Action, Piece, pieces, url_problem

PAGE = 50  # messages drawn at once
BURST = 100  # messages that one look for new ones brings at most
COUNTED = 99  # unread ones beyond are "99+"
# Two workers may commit in another order than their rows were numbered, so a window keeps an eye
# on lower numbers for as long as a settling transaction might take.
SETTLING = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Bubble:
    """A message as it is drawn. Only URLs that people may safely open are left in it."""

    id: int
    sent_at: datetime
    is_unread: bool
    title: str
    text: tuple[Piece, ...]
    image: str
    alt: str
    actions: tuple[Action, ...]
    is_own: bool = False  # the contact said it
    is_lost: bool = False  # the contact said it, and its session never came up
    is_note: bool = False  # nobody said it: it stands between the messages
    sender: str = ""  # the agent

    @classmethod
    def of(cls, message: ChatMessage) -> Self:
        payload = message.payload
        title, text = storable(payload.get("title", "")), storable(payload.get("text", ""))
        image = storable(payload.get("url") or payload.get("image") or "")
        shown = bool(image) and url_problem(image) is None
        return cls(
            id=message.pk,
            sent_at=message.sent_at,
            is_unread=message.read_at is None,
            title=title,
            text=tuple(pieces(text)) or (() if title or shown or not image else (Piece(image),)),
            image=image if shown else "",
            alt=title or text or "Picture",
            actions=tuple(a for a in payload.get("actions", ()) if url_problem(a["url"]) is None),
            is_own=message.said is not None,
            is_lost=message.said is not None and message.said.state == MessageState.FAILED,
            is_note=payload.get("type") == "NOTE",
            sender=storable(payload.get("sender", "")),
        )


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a window has drawn: everything up to ``after``, and ``also`` these beyond it."""

    after: int = 0
    also: tuple[int, ...] = ()

    @classmethod
    def parse(cls, after: str, also: str) -> Self:
        """Read it as the page sends it back. Raises ValueError."""
        return cls(number(after), numbers(also))

    def past(self, drawn: Iterable[ChatMessage], now: datetime) -> "Cursor":
        """Return where the window stands once these are drawn too."""
        seen = dict(ChatMessage.objects.filter(pk__in=self.also).values_list("pk", "sent_at"))
        seen.update((message.pk, message.sent_at) for message in drawn)
        ids = sorted(seen)
        # What was sent long enough ago has nothing uncommitted below it; the rest is remembered
        # one by one, but not more than fits into a URL.
        settled = [pk for pk in ids if seen[pk] < now - SETTLING] + ids[:-BURST]
        after = max([self.after, *settled])
        return Cursor(after, tuple(pk for pk in ids if pk > after))


class Window:
    """The messages of one contact on one channel."""

    def __init__(self, channel: Channel, contact: str) -> None:
        self._rows = ChatMessage.objects.window(channel, contact).select_related("said")

    def latest(self, before: int | None = None) -> tuple[list[ChatMessage], bool]:
        """Return the last page, or the one before a message, oldest first; and whether more stand
        above it."""
        rows = self._rows if before is None else self._rows.filter(pk__lt=before)
        found = list(rows.order_by("-pk")[: PAGE + 1])
        return found[:PAGE][::-1], len(found) > PAGE

    def since(self, cursor: Cursor) -> list[ChatMessage]:
        rows = self._rows.filter(pk__gt=cursor.after)
        if cursor.also:
            rows = rows.exclude(pk__in=cursor.also)
        return list(rows[:BURST])

    def unread(self, before: int | None = None) -> int:
        """Count the unread messages, above a message where one is named; to ``COUNTED`` + 1."""
        rows = self._rows.unread().order_by()
        if before is not None:
            rows = rows.filter(pk__lt=before)
        return rows[: COUNTED + 1].count()

    def mark_read(self, shown: Sequence[int], now: datetime) -> int:
        """Mark these of the window's messages, and no others."""
        return self._rows.filter(pk__in=shown).mark_read(max(shown, default=0), now)


def in_words(count: int) -> str:
    """Say how many are unread; "" when there are none."""
    return f"{COUNTED}+" if count > COUNTED else str(count or "")


def number(text: str) -> int:
    """Read a row's id from a request. Raises ValueError for what could not be one."""
    if not text.isdecimal() or len(text) > 18:
        raise ValueError(text[:20])
    return int(text)


def numbers(text: str) -> tuple[int, ...]:
    """Read ids parted by commas; at most those of one page and one burst. Raises ValueError."""
    return tuple(number(part) for part in text.split(",", PAGE + BURST)) if text else ()
