"""A custom server: it opens sessions over Alvaria's API and hears of them by signed callbacks."""

from dataclasses import dataclass, field
from typing import Any, Self

import requests
from django.utils import timezone

from channels_app.callback_verifying import public_key, verify_callback
from channels_app.models import Channel
from channels_app.signing_keys import public_pem, signing_key
from project.access.models import ApiClient, Tenant
from project.access.models.client import Scope
from project.access.oauth import issue_credentials
from tests.support.channels import BY, make_channel
from tests.support.receiver import Receiver


@dataclass
class CustomServer:
    """``site`` is Carillon's address; each request waits for the answer and must be accepted."""

    site: str
    org_id: str
    receiver: Receiver
    channel: Channel
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, tenant: Tenant, *, site: str, receiver: Receiver) -> Self:
        """Make the tenant a system that calls, with its callbacks' channel, and get its token."""
        url = {"url": f"{receiver.url}callbacks"}
        channel = make_channel(tenant, "alvaria_callback", name="Callbacks", settings=url)
        client = ApiClient.objects.create(
            tenant=tenant, name="Custom server", scopes=[Scope.SERVER_MESSAGING]
        )
        keys = issue_credentials(client, by=BY)
        server = cls(site, tenant.org_id, receiver, channel)
        answer = requests.post(
            f"{site}/tokenservice/oauth2/access_token",
            auth=(keys.client_id, keys.client_secret),
            data={
                "grant_type": "client_credentials",
                "scope": "servermessagingapi",
                "realm": tenant.org_id,
            },
            timeout=30,
        )
        token = answer.json()["access_token"]
        server.headers = {"Authorization": f"Bearer {token}", "x-api-key": keys.api_key}
        return server

    def opens(self, contact_name: str, work_type: str = "32", **more: str) -> str:
        body = {"workTypeId": work_type, "contactName": contact_name, **more}
        return str(self._post("session", body)["sessionId"])

    def says(self, session: str, text: str = "", **attachment: str) -> str:
        body: dict[str, Any] = {"text": text} if text else {}
        if attachment:
            body["attachment"] = attachment
        return str(self._post("message", body, session)["messageId"])

    def ends(self, session: str) -> None:
        headers = {**self.headers, "server-messaging-session-id": session}
        answer = requests.delete(self._url("session"), headers=headers, timeout=30)
        assert answer.status_code == 202, answer.text

    def heard(self, session: str) -> list[dict[str, Any]]:
        """What it was told of a session so far, in order; each callback's token is checked."""
        signing = signing_key(self.channel.secrets, "private_key", timezone.now())
        keys = [public_key(public_pem(signing))]
        told = []
        for request in self.receiver.requests:
            claims = verify_callback(request.headers["authorization"], request.body, keys)
            assert claims["orgId"] == self.org_id
            callback = request.json()
            if callback["sessionId"] == session:
                told.append(callback)
        return told

    def _url(self, what: str) -> str:
        return f"{self.site}/via/v2/organizations/{self.org_id}/serverMessaging/{what}"

    def _post(self, what: str, body: dict[str, Any], session: str = "") -> Any:
        headers = {**self.headers, "server-messaging-session-id": session}
        answer = requests.post(self._url(what), json=body, headers=headers, timeout=30)
        assert answer.status_code == 202, answer.text
        return answer.json()
