"""The messages that connectors carry, and how they read as text and as HTML.

A payload is a plain dict, ready for JSON, with nothing left to fill in. What is absent or empty
has no key. ``subject`` is for channels that have one (e-mail); others leave it unsaid. ``sender``
is the agent who says it in a session; chat windows show the name.
"""

import re
from collections.abc import Iterator, Mapping
from html import escape
from ipaddress import ip_address
from typing import Any, Literal, NamedTuple, NotRequired, TypeAlias, TypedDict
from urllib.parse import SplitResult, urlsplit

import nh3

from channels_app.http.headers import storable

URL_MAX = 2048  # characters
HOST_MAX = 253

# Spaces and controls end a URL; quotes, angle brackets and backslashes have fooled parsers.
_UNFIT_FOR_URL = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029<>\"\\`]")
_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)*\.?")
_LINK = re.compile(r"https?://[^\s<>\"]+")
_TAGS = {"p", "br", "a", "img", "h2"}
_ATTRIBUTES = {"a": {"href"}, "img": {"src", "alt"}}


class Action(TypedDict):
    title: str
    url: str


class TextPayload(TypedDict):
    type: Literal["TEXT"]
    text: str
    subject: NotRequired[str]
    sender: NotRequired[str]


class ImagePayload(TypedDict):
    type: Literal["IMAGE"]
    url: str
    text: NotRequired[str]
    subject: NotRequired[str]
    sender: NotRequired[str]


class CardPayload(TypedDict):
    """Has a title, a text or an action. An attachment in a session is an action alone."""

    type: Literal["CARD"]
    title: NotRequired[str]
    text: NotRequired[str]
    image: NotRequired[str]
    actions: NotRequired[list[Action]]
    subject: NotRequired[str]
    sender: NotRequired[str]


class NotePayload(TypedDict):
    """What nobody said, such as that an agent joined. Chat windows draw it as a quiet line."""

    type: Literal["NOTE"]
    text: str


Payload: TypeAlias = TextPayload | ImagePayload | CardPayload | NotePayload
# As a JSON column gives it back: readers name the keys that they look for.
Stored: TypeAlias = Mapping[str, Any]


class Piece(NamedTuple):
    """A stretch of a text. ``url`` is empty where the text is no link."""

    text: str
    url: str = ""


def url_problem(url: str) -> str | None:
    """Say what is wrong with a URL that people and other systems are to open, or None."""
    if len(url) > URL_MAX:
        return f"The URL is longer than {URL_MAX} characters."
    if _UNFIT_FOR_URL.search(url):
        return "The URL holds a space, a quote or another character that must be percent-encoded."
    parts = _split(url)
    if parts is None:
        return "The URL is malformed."
    if parts.scheme not in {"http", "https"}:
        return "The URL must begin with https:// or http://."
    if "@" in parts.netloc:
        return "The URL must not hold a user name or password."
    return None if _has_host(parts) else "The URL has no valid host name."


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (reading it raises when it is out of range)
    except ValueError:
        return None
    return parts


def _has_host(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if "[" not in parts.netloc:
        return len(host) <= HOST_MAX and _HOST.fullmatch(host) is not None
    try:
        return ip_address(host).version == 6
    except ValueError:
        return False


def plain_text(payload: Stored) -> str:
    """Return all of a message for a channel that shows only text; URLs stand written out."""
    blocks = [payload.get("title"), payload.get("text"), payload.get("url"), payload.get("image")]
    blocks += [f"{action['title']}: {action['url']}" for action in payload.get("actions", ())]
    return "\n".join(block for block in blocks if block)


def html(payload: Stored) -> str:
    """Return a fragment of HTML with the message's text escaped and its links made clickable.

    nh3 then lets only these few tags pass, should the escaping ever have a hole.
    """
    return nh3.clean(
        storable("\n".join(_blocks(payload))),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https"},
        link_rel="noopener noreferrer",
    )


def pieces(text: str) -> Iterator[Piece]:
    """Part ``text`` into plain stretches and the web addresses in it, unescaped."""
    done = 0
    for found in _LINK.finditer(text):
        url = _without_closing(found.group())
        if url_problem(url) is None:
            if found.start() > done:
                yield Piece(text[done : found.start()])
            yield Piece(url, url)
            done = found.start() + len(url)
    if done < len(text):
        yield Piece(text[done:])


def _blocks(payload: Stored) -> Iterator[str]:
    title, text = payload.get("title", ""), payload.get("text", "")
    if title:
        yield f"<h2>{escape(title)}</h2>"
    if image := payload.get("url") or payload.get("image"):
        yield f'<p><img src="{escape(image)}" alt="{escape(title or text)}"></p>'
    if text:
        yield f"<p>{''.join(_linked(piece) for piece in pieces(text))}</p>"
    for action in payload.get("actions", ()):
        yield f"<p>{_anchor(action['url'], action['title'])}</p>"


def _linked(piece: Piece) -> str:
    return _anchor(piece.url, piece.text) if piece.url else _escaped(piece.text)


def _without_closing(url: str) -> str:
    """Drop the punctuation of the sentence around a URL."""
    url = url.rstrip(".,;:!?'")
    if url.endswith(")") and "(" not in url:
        url = url.rstrip(").,;:!?'")
    return url


def _escaped(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return escape(lines).replace("\n", "<br>\n")


def _anchor(url: str, label: str) -> str:
    return f'<a href="{escape(url)}">{escape(label)}</a>'
