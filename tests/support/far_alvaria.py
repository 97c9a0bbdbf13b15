"""An Alvaria as its document prints it, and what a channel to it starts from."""

import json
from base64 import urlsafe_b64encode
from collections import deque
from datetime import timedelta
from hashlib import sha256
from itertools import count
from typing import Any
from uuid import uuid4

import jwt
from django.test import Client
from django.utils import timezone

from channels_app import vendor_tokens
from channels_app.dispatch.drain import Drain
from channels_app.models import Channel, Delivery, Message, Session
from channels_app.services import enqueue, open_books
from channels_app.vendors.alvaria.inbound import carry_out_all
from project.access.models import Tenant
from project.receiver.requests import Received
from tests.support.channels import make_channel, make_rsa_key
from tests.support.receiver import Answer, Receiver

ORG = "acme"
TOKEN_PATH = "/tokenservice/oauth2/access_token"
BASE = f"/via/v2/organizations/{ORG}/serverMessaging"
SESSION, MESSAGE = f"{BASE}/session", f"{BASE}/message"
PRIVATE, PUBLIC = make_rsa_key()


def as_json(status: int, body: object, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, headers=named, body=json.dumps(body).encode())


def refusal(status: int, message: str, **headers: str) -> Answer:
    """The document's ErrorResponse."""
    error = {"scope": "session", "reason": "reason", "message": message}
    return as_json(status, {"code": status, "message": "…", "errors": [error]}, **headers)


class FarEnd(Receiver):
    """Answers as the document says, but for what it is told to answer next at a path.

    It keeps no state of its own: what it was sent is in ``requests``.
    """

    def __init__(self) -> None:
        super().__init__(self._say)
        self.next: dict[tuple[str, str], deque[Answer]] = {}
        self.token_seconds: Any = 3599
        self._numbers = count(1)

    def answer(self, method: str, path: str, *answers: Answer) -> None:
        self.next.setdefault((method, path), deque()).extend(answers)

    def sent(self, method: str, path: str) -> list[Received]:
        return [one for one in self.requests if (one.method, one.path) == (method, path)]

    def _say(self, request: Received) -> Answer:
        told = self.next.get((request.method, request.path))
        if told:
            return told.popleft()
        match request.method, request.path:
            case "POST", path if path == TOKEN_PATH:
                return as_json(
                    200,
                    {
                        "access_token": f"token-{next(self._numbers)}",
                        "scope": "servermessagingapi",
                        "token_type": "Bearer",
                        "expires_in": self.token_seconds,
                    },
                )
            case "POST", path if path == SESSION:
                return as_json(202, {"sessionId": str(uuid4())})
            case "POST", path if path == MESSAGE:
                return as_json(202, {"messageId": str(uuid4()).upper()})
            case "DELETE", path if path == SESSION:
                return Answer(202, body=b"")
        return refusal(404, "not found")


def alvaria_channel(tenant: Tenant, url: str, **fields: Any) -> Channel:
    """A channel to the Alvaria at ``url``, which may stand on this machine."""
    tenant.is_demo = True
    tenant.save()
    settings = {
        "token_url": f"{url.rstrip('/')}{TOKEN_PATH}",
        "api_url": url,
        "org_id": ORG,
        "client_id": "client",
        "work_type_id": "32",
        "public_key": PUBLIC,
        **fields.pop("settings", {}),
    }
    secrets = {"client_secret": "s3cret", "api_key": "k3y", **fields.pop("secrets", {})}
    name = fields.pop("name", "Alvaria")
    return make_channel(tenant, "alvaria", name=name, settings=settings, secrets=secrets, **fields)


_origins = count(1)


def enqueue_to(channel: Channel, *contacts: str, **fields: Any) -> list[Delivery]:
    """Put a message to each contact into the engine, as the floors above do."""
    now, origin = timezone.now(), next(_origins)
    rows = [
        Delivery(
            **{
                "tenant": channel.tenant,
                "channel": channel,
                "origin_kind": "test",
                "origin_id": origin,
                "recipient": contact,
                "address": contact,
                "payload": {"type": "TEXT", "text": f"Hello {contact}"},
                "due_at": now,
                "deadline": now + timedelta(hours=4),
                "created_at": now,
                **fields,
            }
        )
        for contact in contacts
    ]
    open_books(channel.tenant, "test", origin)
    enqueue(rows, kind="test", pk=origin)
    return list(Delivery.objects.of_origin("test", origin).order_by("pk"))


def dispatch(*channels: Channel) -> None:
    """Send what is due, as workers would: a loop, the token that it asks for, a loop."""
    Drain(linger=False).run()
    for channel in channels:
        vendor_tokens.fetch_token(channel.pk)
    Drain(linger=False).run()


def token_for(body: bytes, *, key: str = PRIVATE, algorithm: str = "RS256", **claims: Any) -> str:
    """A callback's token, as Carillon's server face makes it; claims of None are left out."""
    now = int(timezone.now().timestamp())
    digest = urlsafe_b64encode(sha256(body).digest()).rstrip(b"=").decode()
    made = {"iss": "alvaria", "iat": now, "exp": now + 300, "bodyHash": digest, **claims}
    wanted = {name: value for name, value in made.items() if value is not None}
    return jwt.encode(wanted, key, algorithm=algorithm)


def post(
    channel: Channel, document: object, *, token: str | None = None, scheme: str = "Bearer "
) -> Any:
    """Post a callback to the channel's URL. ``token`` instead of a good one."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    token = token_for(body) if token is None else token
    return Client().post(
        f"/webhooks/alvaria/{channel.public_id}",
        body,
        content_type="application/json",
        headers={"Authorization": f"{scheme}{token}"} if token else {},
    )


def event(kind: str, session_id: str, **fields: Any) -> dict[str, Any]:
    """One of the document's callbacks, with an eventId of its own."""
    named = {} if kind == "MESSAGE" else {"event": kind}
    return {"sessionId": session_id, **named, **fields, "eventId": str(uuid4()).upper()}


def hear(channel: Channel, *events: dict[str, Any]) -> None:
    """Let callbacks come in and be carried out."""
    for one in events:
        assert post(channel, one).status_code == 200
    carry_out_all()


def open_session(channel: Channel, contact: str = "Ana") -> Session:
    """A session at the far end in which a message was said."""
    enqueue_to(channel, contact)
    dispatch(channel)
    session = Session.objects.get(contact=contact)
    hear(channel, event("NEW_SESSION", session.vendor_id, status="SUCCESS"))
    dispatch()
    session.refresh_from_db()
    return session


def agent_says(session: Session, text: str = "Hello from Alvaria", **fields: Any) -> dict[str, Any]:
    """A message of an agent there."""
    message = {"text": text} if text else {}
    return event("MESSAGE", session.vendor_id, senderId="AGENT", message={**message, **fields})


def heard(session: Session) -> list[tuple[str, str]]:
    """What was said there: by whom, and the text."""
    from_there = Message.objects.of_session(session).from_contact()
    return list(from_there.values_list("author_name", "text"))
