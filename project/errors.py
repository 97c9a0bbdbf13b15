"""What a person sees when a request can't be answered: plain words, one way on.

Vendors' routes answer in their own dialect. What Django refuses before their views are asked
comes here; a view class with a method ``in_dialect(status, sentence)`` words it then.
"""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import (
    DisallowedHost,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.urls import Resolver404, resolve

MANY = (TooManyFieldsSent, TooManyFilesSent)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400; says why when the form was too large, cut off, or for another host."""
    reason = ""
    if isinstance(exception, DisallowedHost):
        reason = "This host name is not served here."
    elif isinstance(exception, RequestDataTooBig):
        limit = filesizeformat(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        reason = f"It was too large: a form may hold {limit}."
    elif isinstance(exception, MANY):
        reason = "It had too many fields or files."
    elif isinstance(exception, MultiPartParserError):
        reason = "It arrived incomplete."
    sentence = reason or "The request can't be read."
    return _in_dialect(request, 400, sentence) or render(
        request, "400.html", {"reason": reason}, status=400
    )


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403, with the sentence that the refusing code gave."""
    return render(request, "403.html", {"reason": str(exception)}, status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404, the same for what is not there and for what is another tenant's."""
    return render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500 without touching the database: it may be what failed."""
    return render(None, "500.html", status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return render(request, "403_csrf.html", status=403)


def _in_dialect(request: HttpRequest, status: int, sentence: str) -> HttpResponse | None:
    """Return the answer as the route's own view words it; None: it is a page for people."""
    try:
        view = getattr(resolve(request.path_info).func, "view_class", None)
    except Resolver404:
        return None
    word: Callable[[int, str], HttpResponse] | None = getattr(view, "in_dialect", None)
    return word(status, sentence) if word else None
