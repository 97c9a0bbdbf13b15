"""The server face: the routes that a custom server calls."""

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    MethodNotAllowed,
    NotAuthenticated,
    Throttled,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from channels_app.models import Channel, Session
from channels_app.models.channel import Kind
from channels_app.sessions.services import TooMany, accept_message, end_by_contact, open_session
from channels_app.vendors.alvaria.access import AccessTokenAuthentication, MayMessage
from channels_app.vendors.alvaria.callbacks import SESSION_LIMIT
from channels_app.vendors.alvaria.wire import (
    NewSession,
    Refused,
    error,
    error_response,
    no_session,
    read_message,
    read_session_id,
)
from project.access.authentication import client_of
from project.access.models import ApiClient
from project.access.throttling import ClientThrottle
from project.json_body import StrictJSONParser, data_of
from project.one_format import AlwaysFirst

log = logging.getLogger(__name__)

ANYWHERE = {"Access-Control-Allow-Origin": "*"}  # the document's header of each 202
TOO_MANY_WAIT = 60  # seconds, after which a session may have ended


class AlvariaView(APIView):
    """What the three operations share: who may, and errors in the document's shape."""

    content_negotiation_class = AlwaysFirst
    parser_classes = [StrictJSONParser]
    authentication_classes = [AccessTokenAuthentication]
    permission_classes = [MayMessage]
    throttle_classes = [ClientThrottle]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # Before the token: it is the method that is wrong then, with any token.
        if (request.method or "").lower() not in self.http_method_names:
            raise MethodNotAllowed(request.method or "")
        super().initial(request, *args, **kwargs)

    @staticmethod
    def in_dialect(status: int, sentence: str) -> JsonResponse:
        """Return what is answered where Django refuses before the view (project/errors.py)."""
        reason = "notFound" if status == 404 else "invalid"
        errors = [error(reason, sentence, scope="request")]
        return JsonResponse(error_response(status, errors), status=status)

    def get_exception_handler(self) -> Callable[[Exception, Mapping[str, Any]], Response]:
        return as_error_response


class SessionView(AlvariaView):
    """``…/serverMessaging/session``"""

    http_method_names = ["post", "delete"]

    def post(self, request: Request, org_id: str) -> Response:
        asked = NewSession.read(data_of(request))
        client = client_of(request)
        channel = callback_channel(client)
        limit = channel.setting("session_limit", SESSION_LIMIT)
        session = open_session(
            channel,
            client=client,
            work_type=asked.work_type,
            contact_name=asked.contact_name,
            integration=asked.integration,
            attributes=asked.attributes,
            most=int(limit),
        )
        return Response({"sessionId": str(session.public_id)}, status=202, headers=ANYWHERE)

    def delete(self, request: Request, org_id: str) -> HttpResponse:
        if not end_by_contact(session_of(request)):
            raise no_session()
        return HttpResponse(status=202, headers=ANYWHERE, content_type="application/json")


class MessageView(AlvariaView):
    """``…/serverMessaging/message``"""

    http_method_names = ["post"]

    def post(self, request: Request, org_id: str) -> Response:
        session = session_of(request)
        message = accept_message(session, read_message(data_of(request)))
        return Response({"messageId": str(message.public_id)}, status=202, headers=ANYWHERE)


class UnknownRoute(AlvariaView):
    """Whatever else is asked for below Alvaria's root: 404 in its dialect, whoever asks."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.in_dialect(404, "There is no such resource.")


def callback_channel(client: ApiClient) -> Channel:
    """Return the channel that tells this system of its sessions. Raises Refused."""
    channels = Channel.objects.of(client.tenant).filter(kind=Kind.ALVARIA_CALLBACK)
    found = channels.filter(client=client).first() or channels.filter(client=None).first()
    if found is None:
        words = "No callback URL is configured for this client."
        raise Refused(error("noCallback", words, scope="organization"))
    return found


def session_of(request: Request) -> Session:
    """Return the caller's session that the header names. Raises Refused.

    One that has ended is found as well: what is sent to it fails by a status event.
    """
    public_id = read_session_id(request.META.get("HTTP_SERVER_MESSAGING_SESSION_ID"))
    found = Session.objects.filter(public_id=public_id, client=client_of(request)).first()
    if found is None:
        raise no_session()
    return found


def as_error_response(problem: Exception, context: Mapping[str, Any]) -> Response:
    """Answer an error in the document's shape; a 401 has no body, as it has it."""
    if isinstance(problem, NotAuthenticated | AuthenticationFailed):
        challenge = context["view"].get_authenticate_header(context["request"])
        return Response(status=401, headers={"WWW-Authenticate": challenge})
    refused = _told(problem)
    headers = {"Retry-After": str(refused.retry_after)} if refused.retry_after else {}
    body = error_response(refused.status, refused.errors)
    return Response(body, status=refused.status, headers=headers)


def _told(problem: Exception) -> Refused:
    """Word an error for the caller; of an unexpected one nothing is told."""
    status, retry_after = 400, 0
    match problem:
        case Refused():
            return problem
        case TooMany():
            status, retry_after = 429, TOO_MANY_WAIT
            told = error("tooManySessions", str(problem), scope="client")
        case Throttled():
            status, retry_after = 429, max(1, math.ceil(getattr(problem, "wait", None) or 0))
            words = f"Too many requests in this minute; try again in {retry_after} seconds."
            told = error("tooManyRequests", words, scope="client")
        case MethodNotAllowed():
            status = 405
            told = error("notAllowed", str(problem.detail), scope="request")
        case APIException():
            # The document has no 413, and 400 would say less.
            status = 413 if problem.status_code == 413 else 400
            told = error("invalid", str(problem.detail))
        case _:
            status = 500
            log.error("A server messaging request could not be carried out.", exc_info=problem)
            told = error("internal", "The request could not be carried out.", scope="request")
    return Refused(told, status=status, retry_after=retry_after)
