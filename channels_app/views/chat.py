"""The chat page: opened by a signed link, drawn by the server first and live after that.

The link is all the authority that there is: no login, no session, no cookie.
"""

import hashlib
import math
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NamedTuple
from uuid import uuid4

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from channels_app.chat_links import BadLink, open_link
from channels_app.chat_window import Bubble, Cursor, Window, in_words, number, numbers
from channels_app.models import Channel, ChatMessage
from channels_app.sessions.chat import (
    TEXT_MAX,
    NobodyAnswers,
    Unfit,
    answer,
    fit,
    is_answered,
    known,
)
from channels_app.signals import contact_seen
from project.access.throttling import counted, until_next_window

SEEN_EVERY = 300  # seconds; telling the upper floors costs writes
MOST = 30  # messages a minute that a link takes

View = Callable[[HttpRequest, Channel, str], HttpResponse]


def by_link(view: View) -> Callable[..., HttpResponse]:
    """Open the link for the view, or say calmly that it leads nowhere."""

    @never_cache
    @wraps(view)
    def opened(request: HttpRequest, token: str) -> HttpResponse:
        try:
            channel, contact = open_link(token)
        except BadLink:
            response = render(request, "chat/gone.html", status=404)
        else:
            with timezone.override(channel.tenant.zone):
                response = view(request, channel, contact)
        # The address is a secret: it goes to no other site and into no search engine.
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    return opened


@require_safe
@by_link
def window(request: HttpRequest, channel: Channel, contact: str) -> HttpResponse:
    """Draw the last messages, or without script a page of earlier ones (?before=id)."""
    _announce(channel, contact)
    try:
        before = number(request.GET["before"]) if "before" in request.GET else None
    except ValueError:
        before = None
    return _draw(request, channel, contact, before=before)


def _draw(
    request: HttpRequest,
    channel: Channel,
    contact: str,
    *,
    before: int | None = None,
    tried: Mapping[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    """Draw the page; ``tried`` is what was not sent: ``typed``, ``token`` and ``problem``."""
    shown = Window(channel, contact)
    context = _page(shown, before) | {"tenant": channel.tenant}
    if before is not None:
        context["unread"] = in_words(shown.unread())
    else:
        # What stands above this page is not new, however short a time ago it came.
        begin = Cursor((context["earlier"] or 1) - 1)
        context["cursor"] = begin.past(context["messages"], timezone.now())
        if tried or is_answered(channel, contact):
            context |= {"token": uuid4().hex, "limit": TEXT_MAX, **(tried or {})}
    return render(request, "chat/window.html", context, status=status)


@require_safe
@by_link
def earlier(request: HttpRequest, channel: Channel, contact: str) -> HttpResponse:
    """Draw the messages above one."""
    try:
        before = number(request.GET.get("before", ""))
    except ValueError:
        return HttpResponse(status=400)
    return render(request, "chat/earlier.html", _page(Window(channel, contact), before))


@require_safe
@by_link
def new(request: HttpRequest, channel: Channel, contact: str) -> HttpResponse:
    """Draw what the window has not drawn yet; 204 when there is nothing. Asked each second."""
    try:
        cursor = Cursor.parse(request.GET.get("after", ""), request.GET.get("also", ""))
    except ValueError:
        return HttpResponse(status=400)
    messages = Window(channel, contact).since(cursor)
    if not messages:
        return HttpResponse(status=204)
    context = {"bubbles": _bubbles(messages), "cursor": cursor.past(messages, timezone.now())}
    return render(request, "chat/new.html", context)


@csrf_exempt  # there is no session to ride on: whoever can write the address may do it anyway
@require_http_methods(["GET", "HEAD", "POST"])
@by_link
def say(request: HttpRequest, channel: Channel, contact: str) -> HttpResponse:
    """Take what the contact writes: to the script as JSON, without script on the page itself."""
    if request.method != "POST":  # the address of a refusal, asked for again
        query = request.META.get("QUERY_STRING", "")
        return HttpResponseRedirect(f"./?{query}" if query else "./")
    if _is_from_elsewhere(request):
        return HttpResponse(status=403)
    typed, token = request.POST.get("text", ""), request.POST.get("token") or uuid4().hex
    taken = _take(channel, contact, typed, token)
    response: HttpResponse
    if request.headers.get("Accept") == "application/json":
        # What was refused keeps its token: it may be a repeat of what was taken.
        told = {"problem": taken.problem, "token": token if taken.problem else uuid4().hex}
        response = JsonResponse(told, status=taken.status)
    elif taken.problem:
        tried = {"typed": typed, "token": token, "problem": taken.problem}
        response = _draw(request, channel, contact, tried=tried, status=taken.status)
    else:
        response = HttpResponseRedirect("./#say")
    if taken.wait:
        response["Retry-After"] = str(taken.wait)
    return response


class _Taken(NamedTuple):
    """What came of it; ``problem`` is for people, ``wait`` is in seconds."""

    problem: str = ""
    status: int = 200
    wait: int = 0


def _take(channel: Channel, contact: str, typed: str, token: str) -> _Taken:
    try:
        text = fit(typed)
        if known(channel, contact, text, token):
            return _Taken()  # it was taken: a repeat costs nothing
        if counted(f"chat-{channel.pk}-{_person(contact)}") > MOST:
            wait = max(1, math.ceil(until_next_window()))
            words = f"Not sent: that was a lot at once. Try again in {wait} seconds."
            return _Taken(words, 429, wait)
        answer(channel, contact, text, token)
    except Unfit as error:
        return _Taken(str(error), 400)
    except NobodyAnswers as error:
        return _Taken(str(error), 409)
    return _Taken()


@csrf_exempt  # as above
@require_POST
@by_link
def read(request: HttpRequest, channel: Channel, contact: str) -> HttpResponse:
    """Mark the messages that a visible window has shown."""
    if _is_from_elsewhere(request):
        return HttpResponse(status=403)
    try:
        shown = numbers(request.POST.get("ids", ""))
    except ValueError:
        return HttpResponse(status=400)
    if Window(channel, contact).mark_read(shown, timezone.now()):
        _announce(channel, contact)
    return HttpResponse(status=204)


def _page(shown: Window, before: int | None) -> dict[str, Any]:
    messages, more = shown.latest(before)
    unread = [place for place, message in enumerate(messages) if message.read_at is None]
    first = unread[0] if unread else 0
    above = shown.unread(messages[0].pk) if more else 0
    return {
        "messages": messages,
        "bubbles": _bubbles(messages),
        # Nothing parts the new from the old where all of it is new.
        "first_unread": messages[first].pk if first else None,
        "unread": in_words(above + len(unread)),
        "earlier": messages[0].pk if more else None,
        "earlier_unread": in_words(above),
        "is_past": before is not None,
    }


def _bubbles(messages: list[ChatMessage]) -> list[Bubble]:
    return [Bubble.of(message) for message in messages]


def _announce(channel: Channel, contact: str) -> None:
    """Tell the upper floors that the contact is here, once in a while."""
    if cache.add(f"chat-seen:{channel.pk}:{_person(contact)}", 1, SEEN_EVERY):
        contact_seen.send_robust(sender=Channel, channel=channel, address=contact)


def _person(contact: str) -> str:
    """Return a contact's name in the cache, whose keys are short and plain."""
    return hashlib.sha256(contact.encode()).hexdigest()[:32]


def _is_from_elsewhere(request: HttpRequest) -> bool:
    """Whether another site's page sends it. A browser says “none” of what people do themselves."""
    return request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}
