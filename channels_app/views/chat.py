"""The chat page: opened by a signed link, drawn by the server first and live after that.

The link is all the authority that there is: no login, no session, no cookie.
"""

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from channels_app.chat_links import BadLink, open_link
from channels_app.chat_window import Bubble, Cursor, Window, number, numbers
from channels_app.models import Channel, ChatMessage
from channels_app.signals import contact_seen

SEEN_EVERY = 300  # seconds; telling the upper floors costs writes

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
    shown = Window(channel, contact)
    context = _page(shown, before)
    if before is None:
        context["cursor"] = Cursor().past(context["messages"], timezone.now())
    return render(
        request, "chat/window.html", {**context, "tenant": channel.tenant, "unread": shown.unread()}
    )


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
@require_POST
@by_link
def read(request: HttpRequest, channel: Channel, contact: str) -> HttpResponse:
    """Mark the messages that a visible window has shown."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
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
    unread = next((i for i, message in enumerate(messages) if message.read_at is None), 0)
    return {
        "messages": messages,
        "bubbles": _bubbles(messages),
        # Nothing parts the new from the old where all of it is new.
        "first_unread": messages[unread].pk if unread else None,
        "earlier": messages[0].pk if more else None,
        "earlier_unread": shown.unread(messages[0].pk) if more else "",
        "is_past": before is not None,
    }


def _bubbles(messages: list[ChatMessage]) -> list[Bubble]:
    return [Bubble.of(message) for message in messages]


def _announce(channel: Channel, contact: str) -> None:
    """Tell the upper floors that the contact is here, once in a while."""
    person = hashlib.sha256(contact.encode()).hexdigest()[:32]
    if cache.add(f"chat-seen:{channel.pk}:{person}", 1, SEEN_EVERY):
        contact_seen.send_robust(sender=Channel, channel=channel, address=contact)
