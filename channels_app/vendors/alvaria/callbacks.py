"""The callbacks' channel: each event is posted to the custom server, signed with RS256."""

from datetime import datetime
from typing import Any

import orjson
from django.conf import settings
from django.utils import timezone

from channels_app.callback_token import private_key, seal, unsigned_token
from channels_app.connectors.base import (
    Credentials,
    HttpConnector,
    Receipt,
    Rejected,
    Setting,
    Unavailable,
    register,
)
from channels_app.http import HttpRequest, HttpResponse
from channels_app.models import Delivery
from channels_app.models.channel import Kind
from channels_app.signing_keys import key_id, new_private_key, signing_key

KEY = "private_key"
SESSION_LIMIT = 500  # sessions that a system may have open at once, where nothing else is said
# As the document prints them.
_ORDER = {
    name: place
    for place, name in enumerate(
        (
            *("sessionId", "senderId", "message", "event", "status", "messageId", "statusMessage"),
            *("from", "agentAlias", "worktypeId", "eventId", "text", "attachment", "type", "url"),
        )
    )
}


@register
class AlvariaCallback(HttpConnector):
    """One POST per event. Only the status 200 is success: Alvaria's own rule."""

    kind = Kind.ALVARIA_CALLBACK
    label = "Alvaria callbacks"
    can_be_checked = False  # any callback is taken for an event
    settings = (
        Setting("url", "Callback URL", kind="url", help="Each event of a session is posted here."),
        Setting(
            KEY,
            "Signing key",
            kind="key",
            required=False,
            secret=True,
            generate=True,
            overlaps=True,
            help="Its public half is on the channel's page, for the receiver.",
        ),
        Setting(
            "session_limit",
            "Open sessions",
            kind="number",
            required=False,
            help=f"At once, for each system that calls. Empty is {SESSION_LIMIT}, 0 is no limit.",
        ),
    )

    def new_secret(self, name: str) -> str:
        return new_private_key()

    def request(self, delivery: Delivery, credentials: Credentials, now: datetime) -> HttpRequest:
        callback = delivery.payload.get("callback")
        if not isinstance(callback, dict):
            raise Rejected("It is no event of a session.")
        body = _encode(callback)
        pem = signing_key(credentials.secrets, KEY, now)
        try:
            key = private_key(pem)
        except ValueError as error:
            raise Unavailable("The channel has no usable signing key.") from error
        token = unsigned_token(
            body,
            issuer=settings.BASE_URL,
            organisation=credentials.org_id,
            token_id=delivery.public_id,
            now=now,
            key_id=key_id(pem),
        )
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return HttpRequest(
            "POST", credentials.settings["url"], headers, body, seal=seal(key, token)
        )

    def receipt(self, response: HttpResponse) -> Receipt:
        if response.status == 200:
            return Receipt()
        raise Unavailable(
            f"The receiver answered {response.status}; only 200 is success.",
            retry_after=response.retry_after(timezone.now()),
        )


def _encode(callback: dict[str, Any]) -> bytes:
    """Return the body with its fields as the document has them; the database keeps no order."""
    return orjson.dumps(_ordered(callback))


def _ordered(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    fields = sorted(value.items(), key=lambda item: _ORDER.get(item[0], len(_ORDER)))
    return {name: _ordered(inner) for name, inner in fields}
