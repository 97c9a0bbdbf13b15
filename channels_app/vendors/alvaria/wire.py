"""The shapes of Alvaria's Server Messaging API: requests as validated, errors, callbacks.

docs/alvaria.md says which readings are Alvaria's and which are ours.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self, TypedDict
from uuid import UUID

from channels_app.models import AttachmentType
from channels_app.payload import URL_MAX
from channels_app.sessions.services import Said

WORK_TYPE_MAX, NAME_MAX, INTEGRATION_MAX = 40, 254, 100  # characters
TEXT_MAX = 10_000  # characters
ATTRIBUTES_MAX = 50  # name/value pairs beside the three that the document names
ATTRIBUTE_MAX = 1000  # characters of a name or a value

# Controls and marks of direction; those that join letters stay.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
PHRASES = {status.value: status.phrase.lower() for status in HTTPStatus} | {
    413: "content too large"
}


class Error(TypedDict):
    """One thing that is wrong. The document leaves the values open; these are ours.

    ``scope`` is where it stands (body, header, path, session), ``reason`` a word for programs.
    """

    scope: str
    reason: str
    message: str


class Refused(ValueError):
    """A request that can't be carried out, with everything that is wrong with it."""

    def __init__(self, *errors: Error, status: int = 400, retry_after: int = 0) -> None:
        self.errors = list(errors)
        self.status = status
        self.retry_after = retry_after  # seconds
        super().__init__("; ".join(error["message"] for error in errors))


def error(reason: str, message: str, *, scope: str = "body") -> Error:
    return {"scope": scope, "reason": reason, "message": message}


def error_response(status: int, errors: Sequence[Error] = ()) -> dict[str, object]:
    """Return the document's ErrorResponse."""
    return {"code": status, "message": PHRASES.get(status, "error"), "errors": list(errors)}


@dataclass(frozen=True, slots=True)
class NewSession:
    """What opens a session. ``attributes``: the name/value pairs beside the document's three."""

    work_type: str
    contact_name: str
    integration: str
    attributes: Mapping[str, Any]

    @classmethod
    def read(cls, document: object) -> Self:
        """Raises Refused with everything that is wrong with the shape."""
        fields = _Fields(document)
        read = cls(
            work_type=fields.text("workTypeId", WORK_TYPE_MAX, required=True, or_number=True),
            contact_name=_shown(fields.text("contactName", NAME_MAX, required=True)),
            integration=fields.text("integration", INTEGRATION_MAX),
            attributes=fields.rest(),
        )
        fields.refuse()
        return read


def _shown(name: str) -> str:
    """Return a name without what would turn the letters around it, or hide some of it."""
    return _UNSEEN.sub("", name).strip()


def read_message(document: object) -> Said:
    """Read a Message: a text, an attachment, or both. Raises Refused."""
    fields = _Fields(document)
    text = fields.text("text", TEXT_MAX)
    kind, url = "", ""
    attachment = fields.get("attachment")
    if attachment is not None:
        inner = _Fields(attachment, within="attachment")
        kind = inner.text("type", 10, required=True)
        url = inner.text("url", URL_MAX, required=True)
        if kind and kind not in AttachmentType.values:
            known = ", ".join(AttachmentType.values)
            inner.errors.append(error("invalid", f"attachment.type: One of {known}."))
        fields.errors += inner.errors
    elif not text.strip() and not fields.errors:
        fields.errors.append(error("required", "A message needs a text or an attachment."))
    fields.refuse()
    return Said(text=text, attachment_type=kind, attachment_url=url)


def read_session_id(value: str | None) -> UUID:
    """Read the header ``server-messaging-session-id``. Raises Refused."""
    name = "server-messaging-session-id"
    if not value:
        raise Refused(error("required", f"The header {name} is missing.", scope="header"))
    try:
        return UUID(value.strip())
    except ValueError:
        raise no_session() from None


def no_session() -> Refused:
    """The answer for a session that is not there, or is another's."""
    return Refused(error("notFound", "Session does not exist", scope="session"), status=404)


class _Fields:
    """A JSON object's fields, taken one by one; what is wrong is gathered."""

    def __init__(self, document: object, *, within: str = "") -> None:
        self.errors: list[Error] = []
        self._within = f"{within}." if within else ""
        self._is_object = isinstance(document, dict)
        self._fields: dict[str, Any] = dict(document) if isinstance(document, dict) else {}
        if not self._is_object:
            what = within or "The body"
            self.errors.append(error("invalid", f"{what} must be a JSON object."))

    def get(self, name: str) -> Any:
        return self._fields.pop(name, None)

    def text(self, name: str, most: int, *, required: bool = False, or_number: bool = False) -> str:
        value, named = self.get(name), f"{self._within}{name}"
        if or_number and type(value) is int:
            value = str(value)
        if value is None or value == "":
            if required and self._is_object:
                self.errors.append(error("required", f"{named}: It is required."))
            return ""
        if not isinstance(value, str):
            wanted = "a string or an integer" if or_number else "a string"
            self.errors.append(error("invalid", f"{named}: It must be {wanted}."))
            return ""
        if len(value) > most:
            self.errors.append(error("tooLong", f"{named}: At most {most:,} characters."))
            return ""
        if required and not _UNSEEN.sub("", value).strip():
            self.errors.append(error("required", f"{named}: It is required."))
        return value

    def rest(self) -> dict[str, Any]:
        """Return what nobody asked for: values that are plain, and not too many of them."""
        if len(self._fields) > ATTRIBUTES_MAX:
            self.errors.append(error("tooMany", f"At most {ATTRIBUTES_MAX} further values."))
            return {}
        for name, value in self._fields.items():
            if not isinstance(value, str | int | float | None):
                self.errors.append(error("invalid", f"{name[:60]}: It must be a plain value."))
            elif len(name) > ATTRIBUTE_MAX or len(str(value)) > ATTRIBUTE_MAX:
                self.errors.append(
                    error("tooLong", f"{name[:60]}: At most {ATTRIBUTE_MAX:,} characters.")
                )
        return self._fields

    def refuse(self) -> None:
        if self.errors:
            raise Refused(*self.errors)
