"""The server face: the route that Luma's callers post to."""

import logging
import math
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.conf import settings
from django.http import JsonResponse
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    MethodNotAllowed,
    NotAuthenticated,
    PermissionDenied,
    Throttled,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from notifications.vendors.luma.drafting import carry_out
from notifications.vendors.luma.wire import NotifyRequest, Refused, envelope
from project.access.authentication import (
    BearerAuthentication,
    HasScope,
    calling_actor,
    client_of,
)
from project.access.models.client import Scope
from project.access.throttling import ClientThrottle
from project.json_body import StrictJSONParser, data_of
from project.one_format import AlwaysFirst

log = logging.getLogger(__name__)

# SQLite has one writer, and whoever waits for it sleeps and looks again, which takes processor time
# from the one who writes: where the threads of a process take turns for the looks as well, a
# request costs less of it. No turn is held while a body is read, which may come slowly.
_TURN: AbstractContextManager[object] = threading.Lock() if settings.SQLITE else nullcontext()


class NotifyLumaUser(APIView):
    """``POST /public/notifylumauser/message``: docs/luma.md says how a request is read."""

    http_method_names = ["post"]
    content_negotiation_class = AlwaysFirst
    parser_classes = [StrictJSONParser]
    authentication_classes = [BearerAuthentication]
    permission_classes = [HasScope]
    required_scope = Scope.LUMA_NOTIFY
    throttle_classes = [ClientThrottle]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # Before the token: it is the method that is wrong then, with any token.
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed(request.method or "")
        super().initial(request, *args, **kwargs)

    def post(self, request: Request) -> Response:
        asked = NotifyRequest.read(data_of(request))
        with _TURN:
            remarks = carry_out(asked, client_of(request).tenant, by=calling_actor(request))
        if _wants_minimal(request) and not remarks:
            return Response(status=204, headers={"Preference-Applied": "return=minimal"})
        return Response(envelope(200, errors=remarks, data="success"))

    @staticmethod
    def in_dialect(status: int, sentence: str) -> JsonResponse:
        """Return what is answered where Django refuses before the view (project/errors.py)."""
        return JsonResponse(envelope(status, errors=[sentence]), status=status)

    def get_exception_handler(self) -> Callable[[Exception, Mapping[str, Any]], Response]:
        return in_envelope


def in_envelope(error: Exception, context: Mapping[str, Any]) -> Response:
    """Answer an error in Luma's envelope; of an unexpected one nothing is told."""
    if isinstance(error, Refused):
        return Response(envelope(400, errors=error.errors), status=400)
    if isinstance(error, APIException):
        status, (sentence, headers) = error.status_code, _told(error, context)
        return Response(envelope(status, errors=[sentence]), status=status, headers=headers)
    log.error("A Luma request could not be carried out.", exc_info=error)
    sentence = "The request could not be carried out."
    return Response(envelope(500, errors=[sentence]), status=500)


def _told(error: APIException, context: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Return what is told of an error that is no matter of the message, and its headers."""
    challenge = context["view"].get_authenticate_header(context["request"])
    match error:
        case NotAuthenticated():
            sentence = "Send the header “Authorization: Bearer” with an API token."
            return sentence, {"WWW-Authenticate": challenge}
        case AuthenticationFailed():
            return str(error.detail), {"WWW-Authenticate": challenge}
        case PermissionDenied():
            return str(error.detail), {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
        case MethodNotAllowed():
            return "Only POST is served here.", {}  # the view adds Allow
        case Throttled():
            seconds = max(1, math.ceil(getattr(error, "wait", None) or 0))
            sentence = f"Too many requests in this minute; try again in {seconds} seconds."
            return sentence, {"Retry-After": str(seconds)}
        case _:
            return str(error.detail), {}


def _wants_minimal(request: Request) -> bool:
    """Read RFC 7240's ``Prefer``; of several ``return`` the first counts."""
    preferences: str = request.META.get("HTTP_PREFER", "")
    for preference in preferences.split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "return":
            return value.strip().strip('"').lower() == "minimal"
    return False
