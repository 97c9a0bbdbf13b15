"""A chat link is a secret: whoever reads the server's log must not find any."""

import io
import logging

import pytest
from django.test import Client

from channels_app.chat_links import chat_url
from tests.support.channels import make_channel

pytestmark = pytest.mark.django_db


def test_a_refused_request_is_logged_without_its_link(tenant, monkeypatch):
    url = chat_url(make_channel(tenant, "chat"), "ana")
    token = url.rstrip("/").rpartition("/")[2]
    said = io.StringIO()
    (handler,) = [one for one in logging.getLogger().handlers if one.get_name() == "stderr"]
    monkeypatch.setattr(handler, "stream", said)
    for path in ("earlier?before=x", "new?after=x", "read"):
        Client().get(f"/chat/{token}/{path}")
    Client().get(f"/chat/{token}x/")
    lines = said.getvalue()
    assert "/chat/…/earlier" in lines
    assert token[:20] not in lines
