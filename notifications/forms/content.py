"""The editor of a message's own words: its fields become the body of a notification, and back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

from notifications.models import ContentType
from notifications.text.payload import ACTIONS_MAX, character_problem

_CARD_KEYS = ("title", "text", "image")


@dataclass(frozen=True)
class Words:
    """What stands in the editor. The kinds share its fields, so a change of kind loses nothing.

    ``image`` is a card's picture or the image itself, whose caption is ``text``. With ``as_json``
    an image or a card is ``source``, written by hand, and the other fields mean nothing.
    """

    text: str = ""
    title: str = ""
    image: str = ""
    actions: tuple[tuple[str, str], ...] = ()  # title, URL
    as_json: bool = False
    source: str = ""

    @classmethod
    def of_body(cls, kind: str, body: str) -> Self:
        """Read what is kept; what does not fit the fields is shown as it stands."""
        if kind == ContentType.TEXT or not body.strip():
            return cls(text=body)
        if kind == ContentType.IMAGE and not body.strip().startswith("{"):
            return cls(image=body.strip())
        return cls._of_json(kind, body) or cls(as_json=True, source=body)

    @classmethod
    def _of_json(cls, kind: str, body: str) -> Self | None:
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, dict):
            return None
        if kind == ContentType.IMAGE and "url" in found:
            found = {"image" if key == "url" else key: value for key, value in found.items()}
        actions = found.pop("actions", [])
        known = {"text", "image"} if kind == ContentType.IMAGE else set(_CARD_KEYS)
        if found.keys() - known or not all(isinstance(value, str) for value in found.values()):
            return None
        if not _fits_rows(actions) or (actions and kind == ContentType.IMAGE):
            return None
        rows = tuple((action["title"], action["url"]) for action in actions)
        # What a JSON escape can hide (half a character, NUL) no page or field could hold.
        if any(map(character_problem, [*found.values(), *chain.from_iterable(rows)])):
            return None
        return cls(**found, actions=rows)

    def body(self, kind: str) -> str:
        """Return it as a notification keeps it; nothing where nothing is written."""
        if kind == ContentType.TEXT:
            return self.text
        if self.as_json:
            return self.source
        if kind == ContentType.IMAGE and not self.text.strip():
            return self.image
        return self.as_source(kind)

    def as_source(self, kind: str) -> str:
        """Return the fields as JSON to be edited by hand."""
        found: dict[str, Any]
        if kind == ContentType.IMAGE:
            found = {"url": self.image, "text": self.text}
        else:
            found = {"title": self.title, "text": self.text, "image": self.image}
            found["actions"] = [{"title": title, "url": url} for title, url in self.actions]
        filled = {name: value for name, value in found.items() if value}
        return json.dumps(filled, ensure_ascii=False, indent=2) if filled else ""

    def switched(self, kind: str, *, as_json: bool) -> Self:
        """Turn the fields into JSON or back; JSON that does not fit the fields stays as it is."""
        if kind == ContentType.TEXT or as_json == self.as_json:
            return self
        if as_json:
            return type(self)(as_json=True, source=self.as_source(kind))
        return self.of_body(kind, self.source)

    @property
    def rows(self) -> list[tuple[str, str]]:
        """A card's buttons and the empty rows for more."""
        return [*self.actions, *[("", "")] * (ACTIONS_MAX - len(self.actions))]


def rows_of(titles: Sequence[str], urls: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Pair the inputs of a card's buttons, without the rows that were left empty."""
    pairs = zip(titles[:ACTIONS_MAX], urls[:ACTIONS_MAX], strict=False)
    return tuple(
        (title.strip(), url.strip()) for title, url in pairs if title.strip() or url.strip()
    )


def _fits_rows(actions: object) -> bool:
    return (
        isinstance(actions, list)
        and len(actions) <= ACTIONS_MAX
        and all(
            isinstance(action, Mapping)
            and action.keys() == {"title", "url"}
            and all(isinstance(value, str) for value in action.values())
            for action in actions
        )
    )
