from urllib.parse import urlencode

import pytest
from django.urls import reverse

from channels_app.models import Channel

LIMITS = {"lifetime": "4", "max_in_flight": "64", "rate_limit": "0"}


@pytest.fixture
def admin(client_as):
    return client_as("Administrator")


@pytest.fixture
def at():
    """The address of a channel's page: ``at(channel, "rotate")``."""

    def url(channel: Channel, name: str = "change") -> str:
        return reverse(f"admin:channels_app_channel_{name}", args=[channel.pk])

    return url


@pytest.fixture
def add(admin):
    """Fill in the form for a new channel and send it off."""

    def send(kind: str, **fields):
        url = f"{reverse('admin:channels_app_channel_add')}?{urlencode({'kind': kind})}"
        return admin.post(url, {"name": "Front door", "is_active": "on", **LIMITS, **fields})

    return send


@pytest.fixture
def change(admin, at):
    """Change a channel by its form, with what is not named as it stands there."""

    def send(channel: Channel, **fields):
        given = {f"setting_{name}": value for name, value in channel.settings.items()}
        return admin.post(at(channel), {"name": channel.name, **given, **LIMITS, **fields})

    return send
