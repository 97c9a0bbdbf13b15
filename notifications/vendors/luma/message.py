"""What a Luma request says: its message, alone or in a template, as the content of a Draft."""

import json
from collections.abc import Mapping
from typing import Any, TypedDict

from notifications.drafts import MESSAGE_MAX, first_words
from notifications.models import TemplateVersion
from notifications.text.content import ContentError, ContentKind, ContentSource
from notifications.text.variables import escape
from notifications.vendors.luma.wire import NotifyRequest, Refused
from project.json_body import loads

VARIABLE = "request.message"


class Content(TypedDict):
    """The fields of a Draft that say what is sent."""

    kind: str
    title: str
    body: str
    message: str


def content(asked: NotifyRequest, template: TemplateVersion | None) -> Content:
    """Return the message as it is to be sent. Raises Refused.

    It is never read for variables: it is the value of one, or it is escaped.
    """
    if len(asked.message_text) > MESSAGE_MAX:
        raise Refused([f"message: It may have {MESSAGE_MAX:,} characters."])
    if template is None and asked.kind is not ContentKind.TEXT:
        return Content(kind=asked.kind, title="", body=_body(asked), message="")
    if isinstance(asked.message, Mapping):
        raise Refused(["message: It must be a text."])
    text = asked.message if asked.message.strip() else ""
    if not text and (template is None or _needs_message(template)):
        raise Refused(["message: It is empty."])
    # A named template gives its own name; the default one would give all messages the same.
    title = "" if asked.template else first_words(text)
    body = "" if template else f"@{VARIABLE}"
    return Content(kind=ContentKind.TEXT, title=title, body=body, message=text)


def _needs_message(template: TemplateVersion) -> bool:
    try:
        source = ContentSource.from_text(template.template.kind, template.body)
    except ContentError:
        return False  # a template that can't be read is refused for that
    return VARIABLE in source.missing({})


def _body(asked: NotifyRequest) -> str:
    """Return an image's URL or a card's JSON object with nothing in it to be filled in."""
    found: object = asked.message
    if isinstance(found, str):
        text = found.strip()
        if not text:
            raise Refused(["message: It is empty."])
        if asked.kind is ContentKind.IMAGE and not text.startswith("{"):
            return escape(text)
        try:
            found = loads(text)
        except ValueError as error:
            raise Refused([f"message: A {asked.kind} takes a JSON object; {error}"]) from error
    if not isinstance(found, dict):
        raise Refused([f"message: A {asked.kind} takes a JSON object."])
    # As tight as can be: with blanks that it came without, it might outgrow the limit.
    return json.dumps(_escaped(found), ensure_ascii=False, separators=(",", ":"))


def _escaped(value: Any) -> Any:
    """Escape after the JSON is read, or an @ written as a JSON escape would slip through."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    if isinstance(value, dict):
        return {name: _escaped(item) for name, item in value.items()}
    return value
