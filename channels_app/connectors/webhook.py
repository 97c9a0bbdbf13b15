"""Webhooks signed as Standard Webhooks 1.0.0. docs/webhook.md tells receivers what they get."""

import json
from base64 import b64decode, b64encode
from binascii import b2a_base64
from datetime import UTC, datetime
from functools import lru_cache
from secrets import token_bytes
from typing import Any

import orjson
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from django.conf import settings
from django.utils import timezone

from channels_app.callback_token import private_key, seal, unsigned_token
from channels_app.connectors.base import (
    Credentials,
    Gone,
    HttpConnector,
    Receipt,
    Setting,
    Unavailable,
    register,
)
from channels_app.http import HttpRequest, HttpResponse
from channels_app.models import Delivery

_TAKEN = Receipt()
PREFIX = "whsec_"
SECRET_BYTES = 32  # Standard Webhooks asks for 24 to 64

# For what orjson refuses: half a character, and numbers beyond 64 bits.
_encode_any = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


@register
class Webhook(HttpConnector):
    """A signed JSON POST to one URL."""

    kind = "webhook"
    label = "Webhook"
    can_be_checked = True
    settings = (
        Setting("url", "URL", kind="url", help="Each message is posted here as signed JSON."),
        Setting(
            "secret",
            "Signing secret",
            required=False,
            secret=True,
            generate=True,
            shared=True,
            overlaps=True,
        ),
        Setting(
            "private_key",
            "RSA private key",
            kind="key",
            required=False,
            secret=True,
            help="In PEM. With one, each message carries a token signed by it (RS256) as well.",
        ),
    )

    def new_secret(self, name: str) -> str:
        return PREFIX + b64encode(token_bytes(SECRET_BYTES)).decode()

    def request(self, delivery: Delivery, credentials: Credentials, now: datetime) -> HttpRequest:
        message_id = delivery.public_id
        data: dict[str, Any] = {
            "id": message_id,
            "recipient": delivery.recipient,
            "address": delivery.address,
            "content": delivery.payload,
            "tenant": credentials.organisation,
        }
        if delivery.origin_kind == "notification":
            data["notification"] = delivery.origin_id
        return _signed(
            credentials,
            message_id,
            {"type": "notification.message", "timestamp": _iso(delivery.created_at), "data": data},
            now,
        )

    def receipt(self, response: HttpResponse) -> Receipt:
        if 200 <= response.status < 300:
            return _TAKEN
        if response.status == 410:
            raise Gone("The receiver answered 410: it wants no more messages.")
        raise Unavailable(
            f"The receiver answered {response.status}.",
            retry_after=response.retry_after(timezone.now()),
        )

    def probe(self, credentials: Credentials, now: datetime) -> HttpRequest:
        message_id = f"ping_{token_bytes(12).hex()}"
        return _signed(
            credentials,
            message_id,
            {"type": "carillon.ping", "timestamp": _iso(now), "data": {"id": message_id}},
            now,
        )

    def probed(self, response: HttpResponse) -> str:
        self.receipt(response)
        return f"The receiver took a signed ping and answered {response.status}."


def _signed(
    credentials: Credentials, message_id: str, event: dict[str, Any], now: datetime
) -> HttpRequest:
    body = _encode(event)
    timestamp = str(int(now.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    secrets = credentials.secrets
    try:
        signatures = signature(secrets["secret"], signed)
    except (KeyError, ValueError) as error:
        raise Unavailable("The channel has no usable signing secret.") from error
    old = secrets.get("old_secret")
    if old and now < datetime.fromisoformat(secrets["old_secret_until"]):
        signatures += f" {signature(old, signed)}"
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signatures,
    }
    sealing = None
    if pem := secrets.get("private_key"):
        try:
            key = private_key(pem)
        except ValueError as error:
            raise Unavailable("The channel has no usable private key.") from error
        token = unsigned_token(
            body,
            issuer=settings.BASE_URL,
            organisation=credentials.organisation,
            token_id=message_id,
            now=now,
        )
        sealing = seal(key, token)
    return HttpRequest("POST", credentials.settings["url"], headers, body, seal=sealing)


def _encode(event: dict[str, Any]) -> bytes:
    """Return the body: sorted, since the same delivery must have the same bytes over all tries."""
    try:
        return orjson.dumps(event, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return _encode_any(event).encode("utf-8", "replace")


def signature(secret: str, signed: bytes) -> str:
    """Return ``v1,`` and the base64 of the HMAC-SHA256; ValueError for a malformed secret."""
    mac = _keyed(secret).copy()
    mac.update(signed)
    return "v1," + b2a_base64(mac.finalize(), newline=False).decode()


@lru_cache(maxsize=1024)
def _keyed(secret: str) -> HMAC:
    """Take the key in; kept, since a busy channel signs thousands of messages a second."""
    return HMAC(b64decode(secret.removeprefix(PREFIX), validate=True), SHA256())


@lru_cache(maxsize=256)  # the messages of a batch were made at the same moment
def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
