"""Rows that tests of channels start from."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from channels_app.channel_services import create_channel
from channels_app.models import Channel, ChatMessage, Delivery, State
from project.access.audit import Actor
from project.access.models import Tenant

BY = Actor.hub("test")
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
_numbers = count(1)


def make_tenant(name: str = "Acme Utilities", **fields: Any) -> Tenant:
    return Tenant.objects.create(name=name, **fields)


def make_channel(tenant: Tenant, kind: str = "chat", **fields: Any) -> Channel:
    """Create a channel as people do, with the secrets that its kind generates."""
    settings = {"webhook": {"url": "https://hooks.acme.example/in"}}.get(kind, {})
    secrets = fields.pop("secrets", None)
    channel = Channel(
        **{"tenant": tenant, "kind": kind, "name": kind.title(), "settings": settings, **fields}
    )
    create_channel(channel, by=BY, secrets=secrets)
    return channel


def make_delivery(channel: Channel, payload: dict[str, Any] | None = None, **fields) -> Delivery:
    number = next(_numbers)
    return Delivery.objects.create(
        **{
            "tenant": channel.tenant,
            "channel": channel,
            "origin_kind": "notification",
            "origin_id": number,
            "recipient_id": number,
            "recipient": "ana",
            "address": "ana@acme.example",
            "payload": payload or {"type": "TEXT", "text": "The mail server is down."},
            "created_at": NOON,
            "deadline": NOON + timedelta(hours=4),
            **fields,
        }
    )


def say(
    channel: Channel,
    text: str = "Hello",
    *,
    contact: str = "ana",
    payload: dict[str, Any] | None = None,
    **fields: Any,
) -> ChatMessage:
    """Put a message into a chat window, as a settled delivery does."""
    payload = payload or {"type": "TEXT", "text": text}
    delivery = make_delivery(channel, payload, address=contact, state=State.SENT)
    return ChatMessage.objects.create(
        **{"channel": channel, "contact": contact, "delivery": delivery, "payload": payload}
        | fields
    )


def make_rsa_key(bits: int = 2048) -> tuple[str, str]:
    """A key pair in PEM: private, public."""
    key = rsa.generate_private_key(65537, bits)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()
