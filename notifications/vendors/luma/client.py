"""The client face: a channel that hands messages to a Luma installation."""

import json
from datetime import datetime
from typing import Any

from django.utils import timezone

from channels_app.connectors.base import (
    Credentials,
    HttpConnector,
    Receipt,
    Rejected,
    Setting,
    Unavailable,
    register,
)
from channels_app.http import BadAnswer, HttpRequest, HttpResponse
from channels_app.models import Delivery
from channels_app.payload import Stored

PATH = "/public/notifylumauser/message"
_CARD = ("title", "text", "image", "actions")
REASON_MAX = 200  # characters: what the log keeps


@register
class Luma(HttpConnector):
    """One POST per person, in the form that Luma's document prints."""

    kind = "luma"
    label = "Luma"
    can_be_checked = True
    settings = (
        Setting(
            "endpoint",
            "Endpoint",
            kind="url",
            help=f"Such as https://luma3.serviceaide.com/vsa; {PATH} is added.",
        ),
        Setting("api_token", "API token", secret=True),
        Setting(
            "bot_external_id",
            "Bot external ID",
            required=False,
            help="Of the bot that speaks at the far end. Empty is its default bot.",
        ),
    )

    def request(self, delivery: Delivery, credentials: Credentials, now: datetime) -> HttpRequest:
        contact = delivery.address.strip()
        # "0" is Luma's word for everyone, and a comma parts contacts: neither is one person.
        if contact in {"", "0"} or "," in contact:
            raise Rejected("The address is not one Luma contact.")
        document = {
            "recipients": {"contacts": [contact], "roles": [""]},
            "botExternalID": credentials.settings.get("bot_external_id", ""),
            "template_type": "",
            "template_id": "",
            "responseType": delivery.payload["type"],
            "message": _message(delivery.payload),
            "repeat": "",
        }
        return HttpRequest.post_json(_url(credentials), document, _headers(credentials))

    def receipt(self, response: HttpResponse) -> Receipt:
        """Only the status 200 in Luma's own envelope is success, or 204 without one."""
        if response.status == 204:
            return Receipt()
        if response.status != 200:
            raise _refusal(response.status, _errors_of(response), response)
        try:
            envelope = response.json_object()
        except BadAnswer as error:
            raise Unavailable(str(error)) from error
        status, errors = envelope.get("status"), envelope.get("errors", [])
        if type(status) is not int or not isinstance(errors, list | None):
            raise Unavailable("The answer is not Luma's envelope.")
        if status != 200:
            raise _refusal(status, _words(errors), response)
        if errors:  # one contact was named, so they are about that one
            raise Rejected(f"Luma took nothing: {_words(errors)}"[:REASON_MAX])
        return Receipt()

    def probe(self, credentials: Credentials, now: datetime) -> HttpRequest:
        """GET, which the route does not serve: any POST might reach somebody."""
        return HttpRequest("GET", _url(credentials), _headers(credentials))

    def probed(self, response: HttpResponse) -> str:
        if response.status in {401, 403}:
            raise Unavailable("Luma answers, but refuses the token.")
        if response.status >= 500 or response.status == 404:
            raise Unavailable(f"The endpoint answered {response.status}.")
        return "The endpoint answers. The first message shows whether the token is good."


def _url(credentials: Credentials) -> str:
    return str(credentials.settings["endpoint"]).rstrip("/") + PATH


def _headers(credentials: Credentials) -> dict[str, str]:
    return {"Authorization": f"Bearer {credentials.secrets.get('api_token', '')}"}


def _message(payload: Stored) -> str:
    """TEXT: the text. IMAGE: the URL; Luma's form has no place for a caption. CARD: JSON."""
    match payload["type"]:
        case "IMAGE":
            return str(payload["url"])
        case "CARD":
            card = {name: payload[name] for name in _CARD if name in payload}
            return json.dumps(card, ensure_ascii=False, separators=(",", ":"))
        case _:
            return str(payload["text"])


def _refusal(status: int, errors: str, response: HttpResponse) -> Rejected | Unavailable:
    if status == 400:
        return Rejected(f"Luma refused the message: {errors or 'no reason given'}"[:REASON_MAX])
    if status in {401, 403}:
        return Unavailable("Luma refused the token.")
    return Unavailable(f"Luma answered {status}.", retry_after=response.retry_after(timezone.now()))


def _errors_of(response: HttpResponse) -> str:
    try:
        envelope = response.json_object()
    except BadAnswer:
        return ""
    return _words(envelope.get("errors")) or _words(envelope.get("message"))


def _words(found: Any) -> str:
    """Read errors as Luma's callers have met them: a list of texts or of objects, or a text."""
    if isinstance(found, list):
        return "; ".join(filter(None, (_words(item) for item in found)))
    if isinstance(found, dict):
        return _words(found.get("message")) or json.dumps(found, ensure_ascii=False)
    return found.strip() if isinstance(found, str) else ""
