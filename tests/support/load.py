"""What an installation is given to send. Runs inside it: ``where.python("… load.send(…)")``."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from channels_app.channel_services import create_channel
from channels_app.models import Channel, Delivery  # noqa: F401 - for who imports all of this
from channels_app.tasks import wake  # noqa: F401 - for who imports all of this
from notifications.audience import Audience
from notifications.composing import Draft
from notifications.expansion import expand_batch
from notifications.models import Recipient
from notifications.schedule import start
from notifications.services import notify
from project.access.audit import Actor
from project.access.models import Tenant

BY = Actor.hub("test")


def tenant() -> Tenant:
    """Return the one tenant, whose channels may reach this machine."""
    return Tenant.objects.get_or_create(name="Acme Utilities", defaults={"is_demo": True})[0]


def people(count: int) -> None:
    Recipient.objects.bulk_create(
        [Recipient(tenant=tenant(), login=f"u{number}@acme.example") for number in range(count)],
        batch_size=1000,
    )


def channel(url: str, *, name: str = "Hook", **fields: Any) -> Channel:
    made = Channel(tenant=tenant(), name=name, kind="webhook", settings={"url": url}, **fields)
    create_channel(made, by=BY)
    return made


def send(name: str = "Hook", text: str = "Hello @recipient.login") -> int:
    """Send to everybody over the channel of that name; returns the notification's number."""
    over = Channel.objects.get(name=name)
    draft = Draft(audience=Audience(everyone=True), body=text, channel=over)
    return notify(tenant(), draft, by=BY).pk


def send_unheard(name: str = "Hook") -> int:
    """Send up to the deliveries' rows, without a word to the workers; returns its number."""
    pk = send(name)
    start(pk, timezone.now())
    while expand_batch(pk):
        pass
    return pk


def send_to(count: int, url: str, *, hours: float = 4, **fields: Any) -> int:
    """Make so many people and a webhook channel, and send to all of them."""
    people(count)
    channel(url, lifetime=timedelta(hours=hours), **fields)
    return send()
