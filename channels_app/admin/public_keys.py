"""The public halves of a channel's signing keys, as its page shows them."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from channels_app.channel_services import overlap_ends
from channels_app.connectors.base import connector_for
from channels_app.models import Channel
from channels_app.signing_keys import key_id, public_pem, published_keys


@dataclass(frozen=True, slots=True)
class PublicKey:
    """``signs_from``: when a rotation's overlap is over; None: it signs already."""

    key_id: str
    pem: str
    signs_from: datetime | None


def public_keys(channel: Channel) -> list[PublicKey]:
    """Return the keys that receivers need, the one that signs first. Raises SecretsUnreadable."""
    named = [s.name for s in connector_for(channel.kind).settings if s.generate and s.kind == "key"]
    found: list[PublicKey] = []
    for name in named:
        pems = published_keys(channel.secrets, name, timezone.now())
        for place, pem in enumerate(pems):
            later = overlap_ends(channel) if place else None
            found.append(PublicKey(key_id(pem), public_pem(pem), later))
    return found
