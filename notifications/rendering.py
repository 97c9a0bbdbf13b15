"""From a notification to what one person gets."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import orjson

from notifications.models import Notification
from notifications.text.content import ContentSource
from project.access.models import Tenant


class Reader(Protocol):
    """Whoever a message is rendered for: a Recipient, or as much of one."""

    @property
    def login(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def locale(self) -> str: ...
    @property
    def time_zone(self) -> str: ...


def source_of(notification: Notification) -> ContentSource:
    """Return the content with its variables; raises ContentError where it can't be read."""
    if notification.template is not None:
        template = notification.template
        return ContentSource.from_text(template.template.kind, template.body)
    return ContentSource.from_text(notification.kind, notification.body)


def shared_values(
    *, tenant: Tenant, title: str, message: str, event: Mapping[str, str]
) -> dict[str, str]:
    """The values that are the same for all recipients."""
    return {
        "request.message": message,
        "tenant.name": tenant.name,
        "notification.title": title,
        **{f"event.{name}": value for name, value in event.items()},
    }


def values_of(notification: Notification) -> dict[str, str]:
    return shared_values(
        tenant=notification.tenant,
        title=notification.title,
        message=notification.message,
        event=notification.event,
    )


def _first(name: str) -> str:
    return next(iter(name.split(None, 1)), name)


_PERSONAL: dict[str, Callable[[Reader, Tenant], str]] = {
    # A person without a name goes by the login.
    "recipient.name": lambda reader, _: reader.name or reader.login,
    "recipient.first_name": lambda reader, _: _first(reader.name or reader.login),
    "recipient.login": lambda reader, _: reader.login,
    "recipient.locale": lambda reader, tenant: reader.locale or tenant.locale,
    "recipient.time_zone": lambda reader, tenant: reader.time_zone or tenant.time_zone,
}


def personal_values(recipient: Reader, tenant: Tenant) -> dict[str, str]:
    """The values that are this person's own."""
    return {name: value(recipient, tenant) for name, value in _PERSONAL.items()}


def render_for(
    content: ContentSource, recipient: Reader, tenant: Tenant, *, subject: str
) -> dict[str, Any]:
    """Return the payload for one person; raises ContentError where the values spoil it.

    ``content`` has the shared values bound. ``subject`` is the e-mail's subject.
    """
    zone = ZoneInfo(recipient.time_zone or tenant.time_zone)
    payload = content.render(personal_values(recipient, tenant), zone)
    return {**payload, "subject": subject}


class Renderer:
    """Does as `render_for` does, for many: what several of them share is made once.

    That is the whole message where nothing in it is personal, and a moment for each time zone.
    """

    def __init__(self, content: ContentSource, tenant: Tenant, *, subject: str) -> None:
        self._content = content
        self._tenant = tenant
        self._subject = subject
        self._personal = [each for each in _PERSONAL.items() if content.uses(each[0])]
        self._zones: dict[str, tuple[ContentSource, ZoneInfo]] = {}
        self._same: dict[str, str] = {}  # by time zone, what reads the same for all there

    def json_for(self, reader: Reader) -> str:
        """Return the payload as a JSON text; raises ContentError."""
        zone = reader.time_zone or self._tenant.time_zone
        if zone in self._same:
            return self._same[zone]
        content, known = self._zones.get(zone) or self._enter(zone)
        values = {name: value(reader, self._tenant) for name, value in self._personal}
        return self._json(content, values, known)

    def _enter(self, zone: str) -> tuple[ContentSource, ZoneInfo]:
        known = ZoneInfo(zone)
        content = self._content.in_zone(known)
        self._zones[zone] = content, known
        if not content.per_recipient:
            self._same[zone] = self._json(content, {}, known)
        return content, known

    def _json(self, content: ContentSource, values: Mapping[str, str], zone: ZoneInfo) -> str:
        payload = content.render(values, zone)
        payload["subject"] = self._subject
        return orjson.dumps(payload).decode()
