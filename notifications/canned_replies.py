"""What agents may answer with: the tenant's text templates, with the contact's name filled in."""

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from channels_app.models import Session
from channels_app.models.channel import Kind
from channels_app.sessions.replies import Reply, offers_replies
from notifications.models import ContentType, Recipient, Template
from notifications.rendering import personal_values, shared_values
from notifications.text.content import ContentError, ContentSource
from project.access.models import Tenant

# A text that is nothing but what a caller says, such as the default template, is no answer.
_CALLERS = {"request.message", "notification.title"}


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom a reply is worded for, where the tenant does not know them."""

    name: str
    login: str
    locale: str = ""
    time_zone: str = ""


@offers_replies
def canned_replies(tenant: Tenant, session: Session, query: str) -> Iterator[Reply]:
    """Offer the templates in use whose name holds all words of the query, by name.

    What the contact's data can't fill in becomes a blank, such as [until], which the agent fills
    in; a template that needs a notification's own words is left out.
    """
    words = query.casefold().split()
    names = Template.objects.of(tenant).in_use().filter(kind=ContentType.TEXT)
    fitting = [
        pk
        for pk, name in names.order_by("name").values_list("pk", "name")
        if all(word in name.casefold() for word in words)
    ]
    contact = _contact(tenant, session)
    for pk in fitting:
        template = Template.objects.get(pk=pk)
        if reply := _worded(template, contact, tenant):
            yield reply


def _worded(template: Template, contact: Contact | Recipient, tenant: Tenant) -> Reply | None:
    try:
        content = ContentSource.from_text(template.kind, template.current.body)
        values = {
            **shared_values(tenant=tenant, title="", message="", event={}),
            **personal_values(contact, tenant),
        }
        missing = content.missing(values)
        if _CALLERS & set(missing):
            return None
        blanks = {name: f"[{name.rpartition('.')[2]}]" for name in missing}
        zone = ZoneInfo(contact.time_zone or tenant.time_zone)
        text = content.render(values | blanks, zone)["text"]
    except ContentError:
        return None  # it was saved before a rule that it breaks
    left = tuple(dict.fromkeys(blanks.values()))
    if not all(blank in text for blank in left):
        return None  # a filter has made other words of it, which nobody would see to fill in
    return Reply(template.name, text, left)


def _contact(tenant: Tenant, session: Session) -> Contact | Recipient:
    """Over chat the contact is a person whom the tenant knows; else there is a name only."""
    known = None
    if session.channel.kind == Kind.CHAT:
        known = Recipient.objects.of(tenant).named([session.contact]).first()
    return known or Contact(name=session.contact_name, login=session.contact)
