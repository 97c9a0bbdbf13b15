"""What the page of a channel says that calls a vendor who calls back."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from channels_app.log.words import Clock
from channels_app.models import Channel, VendorToken
from channels_app.models.channel import Kind


def client_facts(channel: Channel, now: datetime) -> dict[str, Any]:
    """Return where the vendor's callbacks come in, and why there is no access token."""
    if channel.kind != Kind.ALVARIA:
        return {}
    path = reverse("alvaria-callbacks", args=[channel.public_id])
    return {
        "callback_url": f"{settings.BASE_URL}{path}",
        "believes_callbacks": bool(channel.setting("public_key")),
        "token_problem": _token_problem(channel, now),
    }


def _token_problem(channel: Channel, now: datetime) -> str:
    token = VendorToken.objects.filter(channel=channel).exclude(error="").first()
    if token is None:
        return ""
    coming = token.next_try_at > now
    when = f"at {Clock(now, channel.tenant.zone).when(token.next_try_at)}" if coming else "soon"
    if token.is_good(now):
        return f"Its access token could not be renewed; next try {when}. {token.error}"
    return f"It has no access token; next try {when}. {token.error}"
