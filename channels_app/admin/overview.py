"""Channels and waiting sessions on the console's first page."""

from typing import Any

from django.db.models import Count, Min
from django.http import HttpRequest
from django.utils import timezone

from channels_app.admin.standing import pause_in_words
from channels_app.log.words import span
from channels_app.models import Channel, Session, SessionState
from project.access.models import Tenant
from project.overview import shown_first

FEW = 5


@shown_first
def overview(tenant: Tenant, request: HttpRequest) -> dict[str, Any]:
    return {**_waiting(tenant, request), **_channels(tenant, request)}


def _waiting(tenant: Tenant, request: HttpRequest) -> dict[str, Any]:
    """Return how many sessions wait for an agent, and how long the first has."""
    if not request.user.has_perm("channels_app.view_session"):
        return {}
    found = Session.objects.of(tenant).filter(state=SessionState.WAITING)
    queue = found.aggregate(number=Count("pk"), since=Min("waiting_since"))
    now = timezone.now()
    longest = span(now - queue["since"]) if queue["since"] else ""
    return {"waiting": {"number": queue["number"], "longest": longest}}


def _channels(tenant: Tenant, request: HttpRequest) -> dict[str, Any]:
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
