"""A notification that is no draft: what was decided, how far it is, and what may be done to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from notifications import services
from notifications.composing import NotComposable, NotPossible
from notifications.models import Notification
from notifications.pages.story import OCCURRENCES, Story, occurrences
from notifications.progress import Progress, Sample
from notifications.views.common import fragment, key_of, needs, notification_of, page, who
from project.access.audit import Actor
from project.access.current import actor_of

STOP_POLLING = 286  # htmx's own status: swap this in and ask no more


@require_safe
@needs("view_notification")
def follow(request: HttpRequest, pk: str | int) -> HttpResponse:
    tenant, user = who(request)
    notification = notification_of(request, pk)
    seen_as = request.GET.get("as", "").strip()
    story = Story(notification, tenant, seen_as=seen_as)
    context = {
        **_context(request, notification),
        "story": story,
        "seen_as": seen_as,
        "title": str(notification),
        "may_approve": user.has_perm("notifications.approve_notification")
        and user.get_username() != notification.composed_by,
        "is_composer": user.get_username() == notification.composed_by,
    }
    return page(request, "follow.html", context)


@require_safe
@needs("view_notification")
def progress_part(request: HttpRequest, pk: int) -> HttpResponse:
    """Draw the numbers anew; the last time with the status that ends the asking."""
    notification = notification_of(request, pk)
    context = {**_context(request, notification), "oob": True}
    status = 200 if context["progress"].is_active else STOP_POLLING
    return fragment(request, "parts/progress_parts.html", context, status=status)


def _context(request: HttpRequest, notification: Notification) -> dict[str, Any]:
    seen = Sample.parse(request.GET.get("since", ""))
    before = key_of(request.GET.get("before"))
    shown = occurrences(notification, before)
    return {
        "notification": notification,
        "progress": Progress.of(notification, timezone.now(), seen),
        "occurrences": shown,
        "before": before,
        "older": shown[-1].notification.pk if len(shown) == OCCURRENCES else 0,
        "may_stop": request.user.has_perm("notifications.stop_notification"),
    }


# --- deeds ----------------------------------------------------------------------------------------


def _approve(notification: Notification, request: HttpRequest, by: Actor) -> Notification:
    return services.approve(notification, by=by, digest=request.POST.get("digest", ""))


def _decline(notification: Notification, request: HttpRequest, by: Actor) -> Notification:
    note = request.POST.get("note", "").replace("\0", "").strip()
    return services.decline(notification, by=by, note=note)


@dataclass(frozen=True, slots=True)
class Deed:
    permission: str
    do: Callable[[Notification, HttpRequest, Actor], Notification]
    done: str  # what is said afterwards


DEEDS = {
    "approve": Deed("approve_notification", _approve, "Approved."),
    "decline": Deed("approve_notification", _decline, "Given back to its composer."),
    "withdraw": Deed(
        "change_notification",
        lambda notification, _, by: services.withdraw(notification, by=by),
        "Taken back. It is a draft again.",
    ),
    "stop": Deed(
        "stop_notification",
        lambda notification, _, by: services.stop(notification, by=by),
        "Stopped. Nothing more of it leaves.",
    ),
    "discard": Deed(
        "change_notification",
        lambda notification, _, by: services.discard(notification, by=by),
        "Draft discarded.",
    ),
    "copy": Deed(
        "add_notification",
        lambda notification, _, by: services.copy(notification, by=by),
        "This is a copy; nothing has left.",
    ),
}


@require_POST
def deed(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Do one thing to a notification and show its page; what can't be done is said there."""
    wanted = DEEDS.get(name)
    if wanted is None:
        raise Http404("There is no such deed.")
    if not request.user.has_perm(f"notifications.{wanted.permission}"):
        raise PermissionDenied
    notification = notification_of(request, pk)
    try:
        shown = wanted.do(notification, request, actor_of(request))
    except (NotPossible, NotComposable) as error:
        messages.error(request, str(error))
        shown = notification
    else:
        messages.success(request, wanted.done)
    return redirect("admin:notifications_notification_change", shown.pk)
