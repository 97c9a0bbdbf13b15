"""``POST /tokenservice/oauth2/access_token``: client credentials (RFC 6749, section 4.4)."""

import math
from base64 import b64decode
from binascii import Error as BadBase64
from typing import Any
from urllib.parse import unquote_plus

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from oauth2_provider.views import TokenView

from project.access.throttling import counted, until_next_window

NOT_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}
FORM = "application/x-www-form-urlencoded"
MOST = 120  # tokens a minute for one client id from one address; each serves for an hour


@method_decorator(csrf_exempt, name="dispatch")
class AccessTokenView(TokenView):  # type: ignore[misc]
    """Alvaria's ``realm``, the orgId, may stand in the form or in the address."""

    http_method_names = ["post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            answer = refusal(405, "invalid_request", "Only POST is served here.")
            answer["Allow"] = "POST"
            return answer
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.content_type not in {FORM, ""}:
            return refusal(400, "invalid_request", f"Send the fields as {FORM}.")
        try:
            problem = _problem(request)
        except RequestDataTooBig:
            return refusal(413, "invalid_request", "The fields are too large.")
        except TooManyFieldsSent:
            problem = "There are too many fields."
        if problem:
            return refusal(400, "invalid_request", problem)
        if not _gather_realm(request):
            return refusal(400, "invalid_request", "Two different realms are named.")
        if counted(f"token-{_who(request)}") > MOST:
            seconds = math.ceil(until_next_window())
            words = f"Too many tokens in this minute; try again in {seconds} seconds."
            answer = refusal(429, "temporarily_unavailable", words)
            answer["Retry-After"] = str(seconds)
            return answer
        scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":  # in any case (RFC 7617); the toolkit knows one
            request.META["HTTP_AUTHORIZATION"] = f"Basic {rest.strip()}"
        response: HttpResponse = super().post(request, *args, **kwargs)
        for name, value in NOT_KEPT.items():
            response[name] = value
        response["Content-Type"] = "application/json"
        if response.status_code == 401:  # the scheme that clients use here (RFC 6749, 5.2)
            response["WWW-Authenticate"] = 'Basic realm="Carillon"'
        return response

    @staticmethod
    def in_dialect(status: int, sentence: str) -> JsonResponse:
        """Return what is answered where Django refuses before the view (project/errors.py)."""
        return refusal(status, "invalid_request", sentence)


def _problem(request: HttpRequest) -> str:
    """Say what is wrong with the fields themselves (RFC 6749, sections 2.3 and 3.2), or nothing.

    Raises RequestDataTooBig and TooManyFieldsSent.
    """
    for name, values in request.POST.lists():
        if len(values) > 1:
            return f"{name[:40]} is given more than once."
        if any("\0" in text for text in (name, *values)):
            return "A field holds a NUL."
    basic = _basic(request)
    if basic is None:
        return ""
    # A field without a value is as good as none (section 3.2).
    if request.POST.get("client_secret"):
        return "The client authenticates in two ways."
    if (request.POST.get("client_id") or basic) != basic:
        return "client_id is another than that of the Authorization header."
    return ""


def _basic(request: HttpRequest) -> str | None:
    """Return the client id of HTTP Basic, as claimed; None where the header is none."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        claimed = b64decode(encoded.encode(), validate=True).partition(b":")[0]
    except (BadBase64, ValueError):
        return None
    return unquote_plus(claimed.decode("utf-8", "replace"))


def _gather_realm(request: HttpRequest) -> bool:
    """Put a realm that stands in the address among the fields; False where two are named.

    OAuth knows no parameters in this address, and the toolkit would refuse it.
    """
    realms = {*request.GET.getlist("realm"), *request.POST.getlist("realm")}
    if "realm" in request.GET and len(realms) == 1:
        fields, query = request.POST.copy(), request.GET.copy()
        fields["realm"] = query.pop("realm")[0]
        request.POST = fields  # type: ignore[assignment]
        request.META["QUERY_STRING"] = query.urlencode()
    return len(realms) <= 1


def refusal(status: int, code: str, words: str) -> JsonResponse:
    """Word an error as RFC 6749, section 5.2 has it."""
    body = {"error": code, "error_description": words}
    return JsonResponse(body, status=status, headers=NOT_KEPT)


def _who(request: HttpRequest) -> str:
    """Name the caller for counting: the client id as claimed, and where it calls from."""
    claimed = (_basic(request) or request.POST.get("client_id", "")).encode().hex()
    return f"{request.META.get('REMOTE_ADDR', '')}-{claimed[:64]}"
