"""From a notification to what one person gets."""

from collections.abc import Mapping
from typing import Any

from notifications.models import Notification, Recipient
from notifications.text.content import ContentSource
from project.access.models import Tenant


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


def personal_values(recipient: Recipient, tenant: Tenant) -> dict[str, str]:
    """The values that are this person's own; a person without a name goes by the login."""
    name = recipient.name or recipient.login
    return {
        "recipient.name": name,
        "recipient.first_name": name.split()[0] if name.split() else name,
        "recipient.login": recipient.login,
        "recipient.locale": recipient.locale or tenant.locale,
        "recipient.time_zone": recipient.time_zone or tenant.time_zone,
    }


def render_for(
    content: ContentSource, recipient: Recipient, tenant: Tenant, *, subject: str
) -> dict[str, Any]:
    """Return the payload for one person; raises ContentError where the values spoil it.

    ``content`` has the shared values bound. ``subject`` is the e-mail's subject.
    """
    recipient.tenant = tenant  # spares a query for the zone
    payload = content.render(personal_values(recipient, tenant), recipient.zone)
    return {**payload, "subject": subject}
