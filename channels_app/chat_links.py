"""Links that open one contact's chat window without a login.

A link carries the channel and the contact, signed with the channel's own ``link_key``: whoever
holds it may read that window. A new key ends all links of the channel (docs/connectors.md).
"""

import binascii
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer, b64_decode, b64_encode
from django.urls import reverse

from channels_app.models import Channel
from channels_app.models.channel import Kind
from channels_app.secrets import SecretsUnreadable

_UUID_BYTES = 16


class BadLink(Exception):
    """Not a link of ours, or one that has ended or that no key can check any more."""


def gives_links(channel: Channel) -> bool:
    """Whether `chat_url` can make any: the channel has a link key, and it can be read."""
    try:
        return bool(channel.secrets.get("link_key"))
    except SecretsUnreadable:
        return False


def chat_url(channel: Channel, contact: str) -> str:
    """Return the absolute URL of the contact's window; ``contact`` is the delivery's address."""
    path = reverse("chat", args=[_signer(channel).sign(_subject(channel, contact))])
    return f"{settings.BASE_URL}{path}"


def open_link(token: str) -> tuple[Channel, str]:
    """Return the channel and the contact that a link was made for; raises BadLink."""
    try:
        named = b64_decode(token.rpartition(".")[0].encode())
        public_id, contact = UUID(bytes=named[:_UUID_BYTES]), named[_UUID_BYTES:].decode()
        channel = Channel.objects.select_related("tenant").get(public_id=public_id, kind=Kind.CHAT)
        _signer(channel).unsign(token)
    except (
        ValueError,
        binascii.Error,
        Channel.DoesNotExist,
        BadSignature,
        SecretsUnreadable,  # the link may be good, but nothing can tell
    ) as error:
        raise BadLink from error
    return channel, contact


def _subject(channel: Channel, contact: str) -> str:
    return b64_encode(channel.public_id.bytes + contact.encode()).decode()


def _signer(channel: Channel) -> Signer:
    key = channel.secrets.get("link_key")
    if not key:
        raise BadSignature("This channel gives out no links.")
    return Signer(key=key, sep=".", salt="carillon.chat")
