"""``POST /webhooks/alvaria/{channel}``: where an Alvaria's callbacks come in.

The token is checked before anything of the body is read; then the event is stored, once for each
``eventId``, and answered. What it means is found out in the background (inbound.py).
"""

import json
import logging
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from channels_app.callback_verifying import BadToken, public_keys, verify_callback
from channels_app.http.headers import storable
from channels_app.models import InboundState
from channels_app.models.channel import Kind
from channels_app.models.statements import Callback, callback_channel, keep_callback
from channels_app.vendors.alvaria.waking import wake_for_callbacks
from channels_app.vendors.alvaria.wire import error, error_response
from project.json_body import loads

log = logging.getLogger(__name__)

BODY_MAX = 1024 * 1024  # bytes
EVENT_ID_MAX, KIND_MAX = 100, 40  # characters
KEPT = 100_000  # characters of a body that is no JSON which can be stored
MESSAGE = "MESSAGE"  # the one callback that has no ``event``


@method_decorator(csrf_exempt, name="dispatch")
class CallbackReceiver(View):
    """Answers 200 to whatever a known key has signed, as often as it comes."""

    http_method_names = ["post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        except UnreadablePostError:
            return refusal(400, "invalid", "The body broke off.")
        except Exception:
            log.exception("A callback could not be stored.")
            return refusal(500, "internal", "The callback could not be stored.", scope="request")

    def post(self, request: HttpRequest, public_id: UUID) -> HttpResponse:
        found = callback_channel(public_id, Kind.ALVARIA.value)
        if found is None:
            return unknown_address(request)
        channel, key = found
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            return refusal(411, "invalid", "Send a Content-Length.", scope="header")
        # The declared length first: nothing of a body that is too long is read.
        if _length(request) > BODY_MAX or len(request.body) > BODY_MAX:
            return refusal(413, "tooLong", f"The body may have {BODY_MAX:,} bytes.")
        try:
            authorization = request.META.get("HTTP_AUTHORIZATION", "")
            verify_callback(authorization, request.body, public_keys(key))
        except BadToken as problem:
            answer = refusal(401, "invalidToken", str(problem), scope="header")
            answer["WWW-Authenticate"] = "Bearer"
            return answer
        keep_callback(channel, read(request.body))
        wake_for_callbacks()
        return HttpResponse(content_type="application/json")

    def http_method_not_allowed(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> JsonResponse:
        answer = refusal(405, "notAllowed", "Only POST is served here.", scope="request")
        answer["Allow"] = "POST"
        return answer

    @staticmethod
    def in_dialect(status: int, sentence: str) -> JsonResponse:
        """Return what is answered where Django refuses before the view (project/errors.py)."""
        return refusal(status, "invalid", sentence, scope="request")


def unknown_address(request: HttpRequest) -> JsonResponse:
    """What looks like a callback URL and is none."""
    return refusal(404, "notFound", "There is no such callback URL.", scope="path")


unknown_address.csrf_exempt = True  # type: ignore[attr-defined]


def refusal(status: int, reason: str, words: str, *, scope: str = "body") -> JsonResponse:
    return JsonResponse(error_response(status, [error(reason, words, scope=scope)]), status=status)


def _length(request: HttpRequest) -> int:
    declared = request.META.get("CONTENT_LENGTH") or "0"
    return int(declared[:18]) if declared.isascii() and declared.isdigit() else 0


def read(body: bytes) -> Callback:
    """Read a callback as it is kept.

    What has no ``eventId``, or can't be read, is kept as well, under its own digest.
    """
    try:
        text = body.decode("utf-8-sig")
        document = loads(text)
    except ValueError as problem:
        what = json.dumps({"body": storable(body.decode("utf-8", "replace"))[:KEPT]})
        return _not_understood(body, what, f"The body can't be read: {problem}")
    if not isinstance(document, dict):
        return _not_understood(body, text, "The body is no JSON object.")
    event_id = document.get("eventId")
    if not isinstance(event_id, str) or not 0 < len(event_id) <= EVENT_ID_MAX:
        return _not_understood(body, text, "It has no eventId that can be used.")
    kind = document.get("event", MESSAGE if "message" in document else "")
    kind = kind[:KIND_MAX] if isinstance(kind, str) else ""
    return Callback(event_id, kind, text, InboundState.PENDING.value, "")


def _not_understood(body: bytes, document: str, why: str) -> Callback:
    event_id = f"sha256:{sha256(body).hexdigest()}"
    return Callback(event_id, "", document, InboundState.UNKNOWN.value, why[:200])
