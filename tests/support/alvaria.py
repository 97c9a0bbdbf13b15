"""Alvaria's document, as a custom server follows it, and the rows that a test starts from."""

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.test import Client

from channels_app.callback_verifying import public_key, verify_callback
from channels_app.models import Agent, Channel, Presence, Session, WorkType
from channels_app.models.channel import Kind
from channels_app.sessions.tending import bring_up_all
from channels_app.signing_keys import public_pem
from project.access.audit import Actor
from project.access.models import ApiClient, Tenant, User
from project.access.models.client import Scope
from project.access.oauth import Credentials, issue_credentials
from tests.support.channels import make_channel
from tests.support.receiver import Receiver

BY = Actor.hub("test")
TOKEN_PATH = "/tokenservice/oauth2/access_token"

# As the document prints them.
NEW_SESSION = '{\n"workTypeId": 32,\n"contactName": "Customer Name",\n"integration": "SMS"\n}'
MESSAGE = """{
"text": "Hello there.",
"attachment": {
"type": "Image",
"url": "http://www.mydomain.com/image/graphics01.jpg"
}
}"""


def make_api_client(tenant: Tenant, name: str = "Custom server", **fields: Any) -> ApiClient:
    scopes = fields.pop("scopes", [Scope.SERVER_MESSAGING])
    return ApiClient.objects.create(tenant=tenant, name=name, scopes=scopes, **fields)


def make_callbacks(
    tenant: Tenant, url: str = "https://hooks.acme.example/alvaria", **fields: Any
) -> Channel:
    """The channel over which the tenant's callbacks go out."""
    settings = {"url": url, **fields.pop("settings", {})}
    fields = {"name": "Callbacks", "settings": settings, **fields}
    return make_channel(tenant, Kind.ALVARIA_CALLBACK, **fields)


def make_work_type(tenant: Tenant, code: str = "32", name: str = "Billing", **fields) -> WorkType:
    return WorkType.objects.create(tenant=tenant, code=code, name=name, **fields)


def make_agent(user: User, *skills: WorkType, alias: str = "John", **fields) -> Agent:
    assert user.tenant is not None
    agent = Agent.objects.create(
        **{"tenant": user.tenant, "user": user, "alias": alias, "presence": Presence.AVAILABLE}
        | fields
    )
    agent.work_types.set(skills)
    return agent


class CustomServer:
    """A system that calls the routes; ``send`` may be given a client that goes over the wire."""

    def __init__(self, client: ApiClient, made: Credentials | None = None) -> None:
        self.client = client
        self.org_id = client.tenant.org_id
        self.credentials = made or issue_credentials(client, by=BY)
        client.refresh_from_db()
        self.token = ""
        self.browser = Client(raise_request_exception=False)

    def ask_for_token(self, auth: str | None = None, query: str = "", **fields: str) -> Any:
        """POST to the token route; ``auth`` is the whole header, fields are the form's."""
        asked = {"grant_type": "client_credentials", "scope": "servermessagingapi"} | fields
        pair = f"{self.credentials.client_id}:{self.credentials.client_secret}"
        basic = f"Basic {b64encode(pair.encode()).decode()}"
        return self.browser.post(
            TOKEN_PATH + query,
            urlencode({name: value for name, value in asked.items() if value}),
            content_type="application/x-www-form-urlencoded",
            headers={"Authorization": basic if auth is None else auth},
        )

    def sign_in(self) -> "CustomServer":
        self.token = self.ask_for_token(realm=self.org_id).json()["access_token"]
        return self

    def call(self, method: str, what: str, body: Any = None, **headers: str | None) -> Any:
        """Call an operation with all the headers it needs; None leaves one out."""
        sent: dict[str, str | None] = {
            "Authorization": f"Bearer {self.token}",
            "x-api-key": self.credentials.api_key,
        }
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        org_id = sent.pop("org-id", self.org_id)
        content_type = sent.pop("Content-Type", "application/json")
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        return self.browser.generic(
            method,
            f"/via/v2/organizations/{org_id}/serverMessaging/{what}",
            "" if body is None else data,
            content_type=content_type or "",
            headers={name: value for name, value in sent.items() if value is not None},
        )

    def open(self, body: Any = NEW_SESSION, **headers: str | None) -> Any:
        return self.call("POST", "session", body, **headers)

    def say(self, session: str, body: Any = MESSAGE, **headers: str | None) -> Any:
        return self.call("POST", "message", body, server_messaging_session_id=session, **headers)

    def close(self, session: str, **headers: str | None) -> Any:
        return self.call("DELETE", "session", server_messaging_session_id=session, **headers)

    def opened(self, body: Any = NEW_SESSION) -> Session:
        """Open a session and let a worker bring it up."""
        answer = self.open(body)
        assert answer.status_code == 202, answer.content
        bring_up_all()
        return Session.objects.get(public_id=answer.json()["sessionId"])


def callbacks_of(session: Session) -> list[dict[str, Any]]:
    """What the session's far end is told, in order, as it stands in the log."""
    events = session.events.exclude(delivery=None).order_by("pk").select_related("delivery")
    return [event.delivery.payload["callback"] for event in events if event.delivery]


def checked(receiver: Receiver, channel: Channel, requests: Sequence[Any] | None = None) -> list:
    """The bodies that came, each verified by the channel's public key."""
    channel.refresh_from_db()
    key = public_key(public_pem(channel.secrets["private_key"]))
    came = receiver.requests if requests is None else requests
    for request in came:
        verify_callback(request.headers["authorization"], request.body, [key], now=request.at)
    return [request.json() for request in came]
