"""Channels on the console's first page."""

from typing import Any

from django.http import HttpRequest

from channels_app.models import Channel
from project.access.models import Tenant
from project.overview import shown_first

FEW = 5


@shown_first
def overview(tenant: Tenant, request: HttpRequest) -> dict[str, Any]:
    """Return the channels at rest: what is sent over them waits."""
    if not request.user.has_perm("channels_app.view_channel"):
        return {}
    return {"resting": Channel.objects.of(tenant).filter(is_active=False)[:FEW]}
