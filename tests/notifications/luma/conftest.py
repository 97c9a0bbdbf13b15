import json
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from channels_app.models import Channel, ChatMessage
from notifications import tasks
from notifications.models import Notification
from project.access.models import Tenant
from tests.support.channels import make_channel
from tests.support.luma import JAKE, PATH, person, request, token_for

Post = Callable[..., HttpResponse]


@pytest.fixture
def chat(tenant: Tenant) -> Channel:
    return make_channel(tenant, "chat", name="Chat", is_default=True)


@pytest.fixture
def people(tenant: Tenant, chat: Channel) -> None:
    """Jake and three others; Mara and Ines are administrators (-1), Ines an analyst (-3) too."""
    person(tenant, JAKE, -4, name="Jake Miller")
    person(tenant, "ana@acme.example", -4)
    person(tenant, "Mara@acme.example", -1)
    person(tenant, "ines@acme.example", -1, -3)
    person(tenant, "gone@acme.example", -1, -4, is_active=False)


@pytest.fixture
def token(tenant: Tenant) -> str:
    return token_for(tenant)


@pytest.fixture
def post(token: str) -> Post:
    """Send a body to the route, the document's own by default; JSON is made of what is no text."""

    def send(body: Any = None, *, path: str = PATH, auth: str | None = None, **headers: Any):
        asked = request() if body is None else body
        data = asked if isinstance(asked, bytes | str) else json.dumps(asked)
        sent = {"Authorization": f"Bearer {token}" if auth is None else auth}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content_type = sent.pop("Content-Type", "application/json")
        return Client(raise_request_exception=False).post(
            path, data, content_type=content_type, headers={k: v for k, v in sent.items() if v}
        )

    return send


@pytest.fixture
def said(chat: Channel) -> Callable[[], dict[str, list[Any]]]:
    """Let everything that was accepted go out; return what stands in whose chat window."""

    def run() -> dict[str, list[Any]]:
        for pk in Notification.objects.order_by("pk").values_list("pk", flat=True):
            tasks.send(pk)
        windows: dict[str, list[Any]] = {}
        for message in ChatMessage.objects.filter(channel=chat).order_by("pk"):
            shown = {k: v for k, v in message.payload.items() if k not in {"type", "subject"}}
            is_text = message.payload["type"] == "TEXT"
            windows.setdefault(message.contact, []).append(shown["text"] if is_text else shown)
        return windows

    return run
