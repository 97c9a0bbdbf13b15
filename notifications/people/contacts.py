"""Who writes in a chat window: sessions ask, since the contact is not believed."""

from channels_app.models import Channel
from channels_app.sessions.people import Person, names_contacts
from notifications.models import Recipient


@names_contacts
def person_at(channel: Channel, address: str) -> Person | None:
    """The one with this address, else the one with this login."""
    people = Recipient.objects.of(channel.tenant).order_by("-is_active", "pk")
    having = people.filter(addresses__kind=channel.kind, addresses__value=address)
    found = having.first() or people.named([address]).first()
    return Person(found.name or found.login, found.login) if found else None
