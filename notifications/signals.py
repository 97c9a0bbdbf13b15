"""What the floor below tells us."""

from typing import Any

from django.db.models import Q
from django.dispatch import receiver

from channels_app.channel_services import create_channel
from channels_app.models import Channel
from channels_app.models.channel import Kind
from channels_app.signals import contact_seen, origin_settled
from notifications.expansion import finish
from notifications.models import ORIGIN, Address, Recipient
from notifications.people import ensure_luma_roles
from notifications.templating import ensure_default_template
from project.access.audit import Actor
from project.access.models import Tenant
from project.access.signals import tenant_added


@receiver(origin_settled, dispatch_uid="notifications.finish")
def finish_notification(kind: str, pk: int, **_: Any) -> None:
    if kind == ORIGIN:
        finish(pk)


@receiver(contact_seen, dispatch_uid="notifications.last_channel")
def remember_channel(channel: Channel, address: str, **_: Any) -> None:
    """The channel that a person used last is where “last used channel” sends."""
    own = Address.objects.filter(kind=channel.kind, value=address, recipient__tenant=channel.tenant)
    Recipient.objects.of(channel.tenant).filter(
        Q(pk__in=own.values("recipient")) | Q(pk__in=_by_login(channel, address))
    ).exclude(last_channel=channel).update(last_channel=channel)


@receiver(tenant_added, dispatch_uid="notifications.furnish")
def furnish(tenant: Tenant, **_: Any) -> None:
    """Give a new tenant what each one starts with: Luma's roles, the default template, a chat."""
    ensure_luma_roles(tenant)
    ensure_default_template(tenant)
    chat = Channel(tenant=tenant, name="Chat", kind=Kind.CHAT, is_default=True)
    create_channel(chat, by=Actor.hub("new tenant"))


def _by_login(channel: Channel, address: str) -> Any:
    return Recipient.objects.of(channel.tenant).named([address]).values("pk")
