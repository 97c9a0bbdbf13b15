"""Channels on the console's first page."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from channels_app.admin.standing import pause_in_words
from channels_app.models import Channel
from project.access.models import Tenant
from project.overview import shown_first

FEW = 5


@shown_first
def overview(tenant: Tenant, request: HttpRequest) -> dict[str, Any]:
    """Return the channels over which nothing is sent now: at rest, or paused as nobody answers."""
    if not request.user.has_perm("channels_app.view_channel"):
        return {}
    theirs, now = Channel.objects.of(tenant).select_related("tenant"), timezone.now()
    return {
        "resting": theirs.filter(is_active=False)[:FEW],
        "paused": [
            {"channel": channel, "words": pause_in_words(channel, now)}
            for channel in theirs.paused().order_by("paused_since")[:FEW]
        ],
    }
