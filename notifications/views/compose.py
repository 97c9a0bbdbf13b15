"""Composing: the page, what becomes of it when a button is pressed, and its live parts."""

import uuid

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from notifications.audience import Audience
from notifications.composing import NotComposable, NotPossible, draft_of, keep
from notifications.drafts import Draft, content_problems
from notifications.forms.compose import ComposeForm
from notifications.forms.typed import people_changed, typed
from notifications.models import Notification, Recipient, Stage
from notifications.models.recipient import login_key
from notifications.pages.composing import Page
from notifications.pages.what import spoken
from notifications.pages.who import person
from notifications.services import send, send_test, submit
from notifications.text.content import ContentError
from notifications.views.common import fragment, needs, notification_of, page, who
from project.access.current import actor_of, tenant_of
from project.access.models import User

SUGGESTED = 8  # people offered while one types
LEAVING = ("send", "submit")
KEEPING = ("save", "test")


@require_http_methods(["GET", "HEAD", "POST"])
@needs("add_notification")
def compose_new(request: HttpRequest) -> HttpResponse:
    return _compose(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("change_notification")
def compose_draft(request: HttpRequest, pk: str | int) -> HttpResponse:
    """Go on with a draft; what is none any more has another page at the same address."""
    return _compose(request, notification_of(request, pk))


def _compose(request: HttpRequest, notification: Notification | None) -> HttpResponse:
    tenant, _ = who(request)
    if request.method == "POST":
        form = ComposeForm(people_changed(request.POST, tenant), tenant=tenant)
        action = request.POST.get("action", "check")
        if action in LEAVING + KEEPING:
            done = _act(request, form, action, notification)
            if done is not None:
                return done
        return _show(request, form, notification)
    if notification is not None:
        draft, digest = draft_of(notification), notification.digest
        data = typed(draft, tenant, key=notification.key, seen=digest)
        return _show(request, ComposeForm(data, tenant=tenant), notification)
    blank = typed(Draft(audience=Audience()), tenant)
    blank["title"] = ""
    return _show(request, ComposeForm(blank, tenant=tenant), None)


def _show(
    request: HttpRequest,
    form: ComposeForm,
    notification: Notification | None,
    other: Notification | None = None,
) -> HttpResponse:
    tenant, user = who(request)
    form.is_valid()
    context = {
        "page": Page(form, tenant, user, notification),
        "form": form,
        "notification": notification,
        "other": other,
        "may_send": user.has_perm("notifications.send_notification"),
        "asked": request.method == "POST",
        "title": "New notification" if notification is None else str(notification),
    }
    return page(request, "compose.html", context)


def _act(
    request: HttpRequest, form: ComposeForm, action: str, notification: Notification | None
) -> HttpResponse | None:
    """Do what the button says; None where it can't be done, and the form says why."""
    if action == "send" and not request.user.has_perm("notifications.send_notification"):
        raise PermissionDenied
    leaves = action in LEAVING
    tenant, user = who(request)
    if not form.is_valid():
        return None
    draft, by = form.draft, actor_of(request)
    if leaves:
        form.refuse(form.lacks(timezone.now()))
    tried = _test_person(form, user) if action == "test" else None
    if tried:
        form.refuse(spoken(content_problems(draft, tenant), form))
    if form.problems:
        return None
    try:
        with transaction.atomic():
            kept = keep(
                tenant,
                draft,
                by=by,
                key=form.cleaned_data["key"],
                notification=notification,
                seen=form.cleaned_data["seen"],
                unfinished=not leaves,
            )
            if action == "send":
                send(kept, by=by)
            elif action == "submit":
                submit(kept, by=by)
    except NotComposable as error:
        form.refuse(spoken(error.errors, form))
        return None
    except NotPossible as error:
        return _show_conflict(request, form, notification, str(error))
    if tried:
        _try_out(request, kept, tried)
    elif action == "save":
        _say_saved(request, kept)
    return redirect("admin:notifications_notification_change", kept.pk)


def _try_out(request: HttpRequest, kept: Notification, tried: Recipient) -> None:
    try:
        delivery = send_test(kept, tried, by=actor_of(request))
    except (NotComposable, NotPossible, ContentError) as error:
        messages.error(request, f"The draft is saved, but no test was sent: {error}")
    else:
        to = f"{tried} over {delivery.channel}"
        messages.success(request, f"A test is on its way to {to}. The draft is saved.")


def _say_saved(request: HttpRequest, kept: Notification) -> None:
    if kept.stage == Stage.DRAFT:
        messages.success(request, "Draft saved. Nothing has left.")
    else:
        messages.info(request, "This has left the draft stage already.")


def _show_conflict(
    request: HttpRequest, form: ComposeForm, notification: Notification | None, why: str
) -> HttpResponse:
    """Show again what was typed, where someone or an earlier press was faster.

    Pressing once more then is a decision: it writes over the other's draft, or, where there is
    no draft any more, makes a notification of its own.
    """
    tenant, _ = who(request)
    rows = Notification.objects.of(tenant)
    key = form.cleaned_data["key"]
    other = rows.filter(pk=notification.pk if notification else 0).first()
    other = other or rows.exclude(key="").filter(key=key).first()
    data = form.typed.copy()
    if other is not None and other.stage == Stage.DRAFT:
        data["seen"] = other.digest
        hint = "What you typed is still here; saving it now writes over that."
    else:
        notification = None
        data["key"], data["seen"] = uuid.uuid4().hex, ""
        hint = "What you typed is still here, as a new notification; nothing of it has left."
    again = ComposeForm(data, tenant=tenant)
    again.said = [f"{why} {hint}"]
    return _show(request, again, notification, other=other)


def _test_person(form: ComposeForm, user: User) -> Recipient | None:
    """Return whom the test goes to; None where there is nobody, and the form says so.

    To another person, a test is a message like any other: only who may send without an approver
    sends one.
    """
    named, own = form.cleaned_data["test_to"].strip(), user.recipient_login
    may_send = user.has_perm("notifications.send_notification")
    if named and named.lower() != own.lower() and not may_send:
        form.refuse({"test_to": ["Only who may send can try it out on somebody else."]})
        return None
    found = person(form.tenant, named or own)
    if found is None and named:
        form.refuse({"test_to": [f"Nobody is known as {named[:80]}."]})
    elif found is None:
        way_on = "say who gets it." if may_send else "an administrator can name it."
        form.refuse({"test_to": [f"Your account has no recipient of its own: {way_on}"]})
    return found


# --- what changes in place ------------------------------------------------------------------------


@require_POST
@needs("view_notification")
def audience_parts(request: HttpRequest) -> HttpResponse:
    """Draw anew what hangs on the people and the channel."""
    return _parts(request, "parts/audience_parts.html")


@require_POST
@needs("view_notification")
def message_parts(request: HttpRequest) -> HttpResponse:
    """Draw anew what hangs on the words and the time."""
    return _parts(request, "parts/message_parts.html")


def _parts(request: HttpRequest, template: str) -> HttpResponse:
    tenant, user = who(request)
    data = people_changed(request.POST, tenant)
    form = ComposeForm(data, tenant=tenant)
    form.is_valid()
    shown = Page(form, tenant, user, None)
    context = {
        "page": shown,
        "form": form,
        "oob": True,
        "may_send": user.has_perm("notifications.send_notification"),
        "people_changed": data is not request.POST,
        "values_changed": request.POST.get("shown_values") != shown.what.shown_values,
        "editor_changed": form.words.as_json != (request.POST.get("json_shown") == "1"),
    }
    return fragment(request, template, context)


@require_GET
@needs("view_notification")
def people_found(request: HttpRequest) -> HttpResponse:
    """Suggest people whose name or login holds what is being typed."""
    wanted = next(
        (request.GET[n] for n in ("find", "preview_find", "test_to") if n in request.GET), ""
    )
    text = wanted.strip()[:100].replace("\0", "")
    found = Recipient.objects.of(tenant_of(request)).active()
    by_login = Q(login_key__contains=login_key(text))
    found = found.filter(Q(name__icontains=text) | by_login).order_by("pk")
    context = {
        "text": text,
        "people": found[:SUGGESTED] if len(text) > 1 else (),
        "purpose": request.GET.get("for", "add"),
    }
    return fragment(request, "parts/people_found.html", context)


def is_editable(notification: Notification, request: HttpRequest) -> bool:
    may = request.user.has_perm("notifications.change_notification")
    return may and notification.stage == Stage.DRAFT
