"""The shapes of Luma's Notification API: the request as validated, and the five-key envelope.

docs/luma.md says which readings are Luma's and which are ours.
"""

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self

from notifications.audience import CONTACTS_MAX
from notifications.models.recipient import login_key
from notifications.text.content import ContentKind

EVERYONE = "0"
SHOWN_MAX = 254  # characters of a value that an error repeats: the longest login

_NUMBER = re.compile(r"(-?)\s*([0-9]{1,9})")

PHRASES = {status.value: status.phrase for status in HTTPStatus} | {
    401: "invalid token",  # Luma's own words
    413: "Content Too Large",  # RFC 9110's name, which older Pythons do not know
}


class Refused(ValueError):
    """A request that can't be carried out: sentences, each with the name of its field."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(self.errors))


def envelope(
    status: int, *, errors: Sequence[str] = (), data: str | None = None
) -> dict[str, object]:
    """Return the body of every answer; ``timestamp`` is in milliseconds."""
    return {
        "timestamp": int(time.time() * 1000),
        "status": status,
        "message": PHRASES.get(status, "Error"),
        "errors": list(errors),
        "data": data,
    }


@dataclass(frozen=True, slots=True)
class NotifyRequest:
    """What a caller asks for, before the tenant's rows are looked at. "" and None: not said.

    ``contacts`` and ``roles`` name nobody twice; "0", everyone, is in ``everyone`` only.
    """

    everyone: bool
    contacts: tuple[str, ...]
    roles: tuple[str, ...]
    bot: str
    template: str
    template_type: ContentKind | None
    response_type: ContentKind | None
    message: str | Mapping[str, Any]
    repeat: str

    @classmethod
    def read(cls, document: object) -> Self:
        """Raises Refused with everything that is wrong with the shape."""
        if not isinstance(document, dict):
            raise Refused(["The body must be a JSON object."])
        errors: list[str] = []
        contacts, roles = _recipients(document.get("recipients"), errors)
        message = document.get("message")
        if not isinstance(message, str | dict | None):
            errors.append("message: It must be a text, or a JSON object for a card or an image.")
            message = None
        repeat = _word(document, "repeat", errors)
        read = cls(
            everyone=EVERYONE in contacts,
            contacts=tuple(word for word in contacts if word != EVERYONE),
            roles=tuple(roles),
            bot=_word(document, "botExternalID", errors),
            template=_word(document, "template_id", errors),
            template_type=_kind(document, "template_type", errors),
            response_type=_kind(document, "responseType", errors),
            message=message or "",
            repeat="" if repeat == "0" else repeat,
        )
        if errors:
            raise Refused(errors)
        return read

    @property
    def kind(self) -> ContentKind:
        """What the message is, where no template says so."""
        return self.response_type or self.template_type or ContentKind.TEXT

    @property
    def message_text(self) -> str:
        """What is measured: an object without blanks between its parts."""
        if isinstance(self.message, str):
            return self.message
        return json.dumps(self.message, ensure_ascii=False, separators=(",", ":"))


def number(word: str) -> int | None:
    """Read a code such as ``-1``, which Luma's document prints as ``- 1``; None for no number."""
    found = _NUMBER.fullmatch(word)
    return int(found.group(1) + found.group(2)) if found else None


def shown(value: str) -> str:
    """Return a caller's own words, cut, as an error repeats them."""
    return value if len(value) <= SHOWN_MAX else value[:SHOWN_MAX] + "…"


def _recipients(value: object, errors: list[str]) -> tuple[list[str], list[str]]:
    if not isinstance(value, dict):
        errors.append(
            "recipients: It is missing."
            if value is None
            else 'recipients: It must be an object with "contacts" and "roles".'
        )
        return [], []
    before = len(errors)
    contacts = _words(value.get("contacts"), "recipients.contacts", errors)
    roles = _words(value.get("roles"), "recipients.roles", errors)
    if len(errors) > before:
        return [], []
    if not contacts:
        errors.append('recipients.contacts: Name at least one contact, or "0" for everyone.')
    for words, name in ((contacts, "contacts"), (roles, "roles")):
        if len(words) > CONTACTS_MAX:
            errors.append(f"recipients.{name}: There may be {CONTACTS_MAX:,} at most.")
    return contacts, roles


def _words(value: object, field: str, errors: list[str]) -> list[str]:
    """Read a list of ids, or a single one. Each may be several, parted by commas."""
    items = value if isinstance(value, list) else [value]
    words: dict[str, str] = {}
    for item in items:
        if item is None or item == "":
            continue
        if isinstance(item, bool) or not isinstance(item, str | int):
            errors.append(f"{field}: It must be a list of ids, each a text or a whole number.")
            return []
        for part in str(item).split(","):
            if word := part.strip():
                words.setdefault(login_key(word), word)
    return list(words.values())


def _word(document: Mapping[str, Any], field: str, errors: list[str]) -> str:
    value = document.get(field)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        errors.append(f"{field}: It must be a text.")
        return ""
    return str(value).strip()


def _kind(document: Mapping[str, Any], field: str, errors: list[str]) -> ContentKind | None:
    word = _word(document, field, errors)
    if not word:
        return None
    try:
        return ContentKind(word)
    except ValueError:
        known = ", ".join(ContentKind)
        errors.append(f"{field}: {shown(word)} is not known; it is one of {known}.")
        return None
