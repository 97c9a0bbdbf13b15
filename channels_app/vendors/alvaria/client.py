"""The client face: a channel that opens sessions on an Alvaria and says messages there."""

import re
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

from django.utils import timezone

from channels_app.connectors.base import (
    Credentials,
    Onward,
    Receipt,
    Rejected,
    Setting,
    SteppedConnector,
    Token,
    TokenRefused,
    Unavailable,
    Verdict,
    register,
)
from channels_app.http import BadAnswer, HttpRequest, HttpResponse
from channels_app.models import Delivery
from channels_app.models.channel import Kind
from channels_app.vendors.alvaria import steps
from channels_app.vendors.alvaria.steps import (
    CLOSE_AFTER,
    End,
    NoSession,
    Open,
    SessionGone,
    Tell,
)
from project.access.models.client import Scope

PATH = "/via/v2/organizations/{orgId}/serverMessaging"
SESSION_HEADER = "server-messaging-session-id"
# How long a message waits for NEW_SESSION before it goes into its session without.
COMES_UP = timedelta(seconds=60)
_SESSION_ID = re.compile(r"[!-~]{1,100}")  # it goes into a header
LIFETIMES = range(10, 10**8)  # seconds of an access token that can be used
REASON_MAX = 200  # characters: what the log keeps


@register
class Alvaria(SteppedConnector):
    """POST session, then POST message; DELETE session at the end. All answer 202."""

    kind = Kind.ALVARIA
    label = "Alvaria"
    can_be_checked = True
    needs_token = True
    settings = (
        Setting(
            "token_url",
            "Token URL",
            kind="url",
            placeholders=("orgId",),
            help="Such as https://myaspect.{region}.id.aspect-cloud.net"
            "/tokenservice/oauth2/access_token.",
        ),
        Setting(
            "api_url",
            "API URL",
            kind="url",
            placeholders=("orgId",),
            help=f"Such as https://{{orgId}}.via.aspect-cloud.net; {PATH} is added.",
        ),
        Setting("org_id", "Organization", help="The orgId that Alvaria knows you by."),
        Setting("client_id", "Client ID"),
        Setting("client_secret", "Client secret", secret=True),
        Setting("api_key", "API key", secret=True, help="Sent as x-api-key."),
        Setting(
            "work_type_id", "Work type ID", help="The one that sessions are opened with there."
        ),
        Setting(
            "integration",
            "Integration",
            required=False,
            help="Named for Alvaria's own tracking, such as SMS.",
        ),
        Setting(
            "public_key",
            "Public key",
            kind="public_key",
            required=False,
            help="In PEM, from Alvaria Customer Care. Without it no callback is believed. "
            "While the key is changed over, put the new one below the old one.",
        ),
        Setting(
            "reply_work_type",
            "Replies' work type",
            required=False,
            help="The ID of the work type here whose agents answer what comes back. "
            "Empty is the default work type.",
        ),
        Setting(
            "close_after",
            "Close after",
            kind="number",
            required=False,
            help="Minutes without a word, after which a session that nobody here has is closed; "
            f"0: once its message was taken. Empty is {CLOSE_AFTER}.",
        ),
    )

    # --- the access token -------------------------------------------------------------------------

    def token_request(self, credentials: Credentials, now: datetime) -> HttpRequest:
        """RFC 6749, section 4.4, with Alvaria's ``realm``."""
        name = quote_plus(str(credentials.settings.get("client_id", "")))
        secret = quote_plus(credentials.secrets.get("client_secret", ""))
        fields = {
            "grant_type": "client_credentials",
            "scope": Scope.SERVER_MESSAGING.value,
            "realm": str(credentials.settings.get("org_id", "")),
        }
        headers = {
            "Authorization": f"Basic {b64encode(f'{name}:{secret}'.encode()).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        body = urlencode(fields).encode()
        url = _with_organisation(str(credentials.settings["token_url"]), credentials)
        return HttpRequest("POST", url, headers, body)

    def token(self, response: HttpResponse) -> Token:
        answer = _object(response)
        if response.status != 200:
            wait = response.retry_after(timezone.now())
            words = _text(answer.get("error_description")) or _text(answer.get("error"))
            problem = f"The token service answered {response.status}. {words}"
            raise Unavailable(problem.strip()[:REASON_MAX], retry_after=wait)
        value, lifetime = _text(answer.get("access_token")), answer.get("expires_in")
        if isinstance(lifetime, str) and lifetime.isascii() and lifetime.isdigit():
            lifetime = int(lifetime[:9])
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            raise Unavailable("The token service gave no access token that can be used.")
        if not isinstance(lifetime, int | float) or int(lifetime) not in LIFETIMES:
            raise Unavailable("The token service does not say how long its token is good.")
        return Token(value, timedelta(seconds=int(lifetime)))

    def probe(self, credentials: Credentials, now: datetime) -> HttpRequest:
        """An access token: whatever else could be asked for would open something."""
        return self.token_request(credentials, now)

    def probed(self, response: HttpResponse) -> str:
        seconds = self.token(response).lifetime.total_seconds()
        return f"The token service gave an access token, good for {seconds:.0f} seconds."

    # --- the steps --------------------------------------------------------------------------------

    def prepare(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        steps.prepare(deliveries, now)

    def settling(self, tries: Sequence[tuple[Delivery, Verdict]]) -> None:
        steps.settling(tries)

    def settled(self, tries: Sequence[tuple[Delivery, Verdict]]) -> None:
        steps.settled(tries)

    def request(self, delivery: Delivery, credentials: Credentials, now: datetime) -> HttpRequest:
        match delivery.prepared:
            case Open():
                document = {
                    "workTypeId": str(credentials.settings["work_type_id"]),
                    "contactName": delivery.address,
                }
                if integration := credentials.settings.get("integration"):
                    document["integration"] = str(integration)
                url = _url(credentials, "session")
                return HttpRequest.post_json(url, document, _headers(credentials))
            case Tell(session_id, message):
                if not message:
                    raise Rejected("There is neither a text nor an attachment to be sent.")
                headers = _headers(credentials, session_id)
                return HttpRequest.post_json(_url(credentials, "message"), dict(message), headers)
            case End(session_id):
                headers = _headers(credentials, session_id)
                return HttpRequest("DELETE", _url(credentials, "session"), headers)
            case _:
                raise Unavailable("The contact's session is not ready for it yet.")

    def judge(self, delivery: Delivery, response: HttpResponse) -> Receipt | Onward:
        match delivery.prepared:
            case Open():
                _refuse(response)
                session_id = _text(_object(response).get("sessionId"))
                if not _SESSION_ID.fullmatch(session_id):
                    raise Unavailable("The answer names no session.")
                return Onward(session_id, COMES_UP)
            case End():
                if response.status != 404:  # it has ended already
                    _refuse(response)
                return Receipt()
            case Tell(of_session=of_session) if response.status == 404:
                words = _words(_object(response)) or "Session does not exist"
                raise (NoSession if of_session else SessionGone)(words[:REASON_MAX])
            case _:
                return self.receipt(response)

    def receipt(self, response: HttpResponse) -> Receipt:
        """Read the answer to a message."""
        _refuse(response)
        message_id = _text(_object(response).get("messageId"))
        if not message_id:
            raise Unavailable("The answer names no message.")
        return Receipt(vendor_id=message_id)


def _url(credentials: Credentials, what: str) -> str:
    base = str(credentials.settings["api_url"]).rstrip("/")
    if not base.endswith("/serverMessaging"):
        base += PATH
    return f"{_with_organisation(base, credentials)}/{what}"


def _with_organisation(url: str, credentials: Credentials) -> str:
    return url.replace("{orgId}", quote(str(credentials.settings["org_id"]), safe=""))


def _headers(credentials: Credentials, session_id: str = "") -> dict[str, str]:
    headers = {
        "Accept": "application/json",
        "Authorization": f"Bearer {credentials.token}",
        "x-api-key": credentials.secrets.get("api_key", ""),
    }
    return {**headers, SESSION_HEADER: session_id} if session_id else headers


def _refuse(response: HttpResponse) -> None:
    """Raise what an answer means that is no success.

    The document's success is 202; another 2xx is believed, for to say it again would say it twice.
    """
    status = response.status
    if 200 <= status < 300:
        return
    words = _words(_object(response))
    told = f"Alvaria answered {status}{f': {words}' if words else ''}"[:REASON_MAX]
    if status == 401:
        raise TokenRefused("Alvaria refused the access token.")
    if status in {400, 404, 405, 413, 414, 415, 422}:
        raise Rejected(told)
    raise Unavailable(told, retry_after=response.retry_after(timezone.now()))


def _object(response: HttpResponse) -> dict[str, Any]:
    """Return the answer's JSON object; an empty one where it is none."""
    try:
        return response.json_object()
    except BadAnswer:
        return {}


def _words(answer: dict[str, Any]) -> str:
    """Read an ErrorResponse's own words, the nearest to the matter first."""
    errors = answer.get("errors")
    listed = errors if isinstance(errors, list) else []
    found = [_text(error.get("message")) for error in listed if isinstance(error, dict)]
    return "; ".join(filter(None, found)) or _text(answer.get("message"))


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
