"""Messages as they leave: plain dicts, ready for JSON, with nothing left to fill in.

``{"type": "TEXT", "text": …}``, ``{"type": "IMAGE", "url": …, "text": caption?}`` and
``{"type": "CARD", "title": ?, "text": ?, "image": url?, "actions": [{"title", "url"} …]?}``. A card
has a title or a text or both. What is absent or empty has no key.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache
from typing import Any

from channels_app.payload import url_problem

TEXT_MAX = 40_000  # characters, as all lengths here
TITLE_MAX = 300
ACTION_TITLE_MAX = 80
ACTIONS_MAX = 5

Payload = dict[str, Any]


class ContentKind(StrEnum):
    TEXT = "TEXT"
    IMAGE = "IMAGE"
    CARD = "CARD"

    @classmethod
    def _missing_(cls, value: object) -> "ContentKind | None":
        """Accept a kind in any case, as callers write it."""
        upper = value.upper() if isinstance(value, str) else None
        return next((kind for kind in cls if kind.value == upper), None)


FIELDS = {
    ContentKind.TEXT: ("text",),
    ContentKind.IMAGE: ("url", "text"),
    ContentKind.CARD: ("title", "text", "image", "actions"),
}
_LIMITS = {"text": TEXT_MAX, "title": TITLE_MAX, "actions.title": ACTION_TITLE_MAX}
_URLS = frozenset({"url", "image", "actions.url"})


class ContentError(ValueError):
    """Content that cannot be sent: messages by field. ``body`` stands for the whole of it."""

    def __init__(self, errors: Mapping[str, Iterable[str]]) -> None:
        self.errors = {name: list(messages) for name, messages in errors.items()}
        super().__init__("; ".join(self.messages))

    @property
    def messages(self) -> list[str]:
        return [f"{name}: {message}" for name, found in self.errors.items() for message in found]


@cache  # asked for each person; there are a few dozen paths
def role(path: str) -> str:
    """Return a field's name without the number of its action: actions.2.url → actions.url."""
    head, *rest = path.split(".")
    return f"{head}.{rest[-1]}" if rest else head


def is_url_field(path: str) -> bool:
    return role(path) in _URLS


def character_problem(text: str) -> str | None:
    """Say which character a database or a wire could not carry, or None."""
    if "\0" in text:
        return "It holds a NUL character, which cannot be stored."
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "It holds half of a character (a lone surrogate)."
    return None


def string_problem(path: str, text: str) -> str | None:
    """Say what is wrong with the finished text of one field, or None."""
    if problem := character_problem(text):
        return problem
    if is_url_field(path):
        return url_problem(text)
    limit = _LIMITS[role(path)]
    return f"It is longer than {limit:,} characters." if len(text) > limit else None


def check_payload(kind: ContentKind, strings: Mapping[str, str]) -> Payload:
    """Build the payload of the finished ``strings``, named by path ("actions.0.url").

    Empty ones are left out. Raises ContentError.
    """
    payload: Payload = {"type": kind.value}
    actions: dict[str, dict[str, str]] = {}
    errors: dict[str, list[str]] = {}
    for path, text in strings.items():
        name, _, rest = path.partition(".")
        if not text or text.isspace():
            if rest:
                errors[path] = ["It is empty."]
        elif problem := string_problem(path, text):
            errors[path] = [problem]
        elif rest:
            number, _, part = rest.partition(".")
            actions.setdefault(number, {})[part] = text
        else:
            payload[name] = text
    if not any(name in payload or name in errors for name in required_fields(kind)):
        errors.update(empty_errors(kind))
    if errors:
        raise ContentError(errors)
    if actions:
        payload["actions"] = list(actions.values())
    return payload


def required_fields(kind: ContentKind) -> tuple[str, ...]:
    """Name the fields of which at least one must hold something."""
    return ("title", "text") if kind is ContentKind.CARD else FIELDS[kind][:1]


def empty_errors(kind: ContentKind) -> dict[str, list[str]]:
    if kind is ContentKind.CARD:
        return {"body": ["A card needs a title or a text."]}
    (name,) = required_fields(kind)
    return {name: ["It is empty."]}
