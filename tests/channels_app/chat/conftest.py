import pytest
from django.test import Client

from channels_app.chat_links import chat_url
from channels_app.models import Channel
from project.access.models import Tenant
from tests.support.channels import make_channel


@pytest.fixture
def channel(tenant: Tenant) -> Channel:
    return make_channel(tenant)


@pytest.fixture
def visit(client: Client, channel: Channel, settings):
    """Ask for a page of Ana's window; returns the answer."""

    def go(rest: str = "", *, contact: str = "ana", method: str = "get", **options):
        path = chat_url(channel, contact).removeprefix(settings.BASE_URL)
        return getattr(client, method)(path + rest, **options)

    return go
