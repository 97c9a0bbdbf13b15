"""What the page of a channel says that calls a vendor who calls back."""

import json
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from channels_app.log.words import Clock
from channels_app.models import Channel, InboundEvent, VendorToken
from channels_app.models.channel import Kind

STRAYS_SHOWN = 20
BODY_SHOWN = 20_000  # characters


def client_facts(channel: Channel, now: datetime) -> dict[str, Any]:
    """Return where its callbacks come in, what was not understood, why there is no token."""
    if channel.kind != Kind.ALVARIA:
        return {}
    path = reverse("alvaria-callbacks", args=[channel.public_id])
    return {
        "callback_url": f"{settings.BASE_URL}{path}",
        "believes_callbacks": bool(channel.setting("public_key")),
        "token_problem": _token_problem(channel, now),
        "strays": _strays(channel, now),
    }


def _strays(channel: Channel, now: datetime) -> list[dict[str, str]]:
    """The newest callbacks that nothing could be made of."""
    clock = Clock(now, channel.tenant.zone)
    return [
        {
            "when": clock.when(event.received_at),
            "kind": event.kind or "of no kind",
            "reason": event.reason,
            "body": json.dumps(event.body, indent=2, ensure_ascii=False)[:BODY_SHOWN],
        }
        for event in InboundEvent.objects.not_understood(channel)[:STRAYS_SHOWN]
    ]


def _token_problem(channel: Channel, now: datetime) -> str:
    token = VendorToken.objects.filter(channel=channel).exclude(error="").first()
    if token is None:
        return ""
    coming = token.next_try_at > now
    when = f"at {Clock(now, channel.tenant.zone).when(token.next_try_at)}" if coming else "soon"
    if token.is_good(now):
        return f"Its access token could not be renewed; next try {when}. {token.error}"
    return f"It has no access token; next try {when}. {token.error}"
