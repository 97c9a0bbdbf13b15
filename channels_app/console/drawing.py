"""Putting the console's parts together, for the whole page and for what has changed."""

from typing import Any
from uuid import uuid4

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from channels_app.console.contact import contact_of
from channels_app.console.lines import Line, Lists, lists_of
from channels_app.console.standing import Standing, standing_of
from channels_app.console.talk import said_before, talk
from channels_app.models import Agent, Session
from channels_app.sessions.files import LARGEST
from channels_app.sessions.routing import route_if_nobody_does

HERE = "admin/channels_app/session/console"
LIVE = "X-Console"  # asked by a page that is live, which gets what has changed


def look(agent: Agent, shown: int | None) -> Standing:
    """See how things stand, after moving on what is due. Raises Http404 for no session here."""
    standing = standing_of(agent, shown)
    now = timezone.now()
    if standing.needs_routing(now) and route_if_nobody_does(agent.tenant, now):
        standing = standing_of(agent, shown)
    if shown and standing.opened is None:
        raise Http404("There is no such session here.")
    return standing


def whole_page(request: HttpRequest, standing: Standing) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": "Console",
        "token": uuid4(),
        "largest": LARGEST,
        **_parts(request, standing),
    }
    return render(request, f"{HERE}/page.html", context)


def parts(
    request: HttpRequest, standing: Standing, *, since: int = 0, problem: str = ""
) -> HttpResponse:
    """Draw what a live page shows, messages only from the id ``since`` on.

    ``problem`` says why a deed was not done.
    """
    context = {**_parts(request, standing, since=since), "problem": problem}
    return render(request, f"{HERE}/parts.html", context)


def no_agent(request: HttpRequest) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": "Console"}
    # A deed that was not done must not look like one that was.
    status = 409 if request.method == "POST" else 200
    return render(request, f"{HERE}/no_agent.html", context, status=status)


def _parts(request: HttpRequest, standing: Standing, *, since: int = 0) -> dict[str, Any]:
    lists = lists_of(standing)
    context: dict[str, Any] = {
        "agent": standing.agent,
        "standing": standing,
        "lists": lists,
        "now": timezone.now(),
        "since": since,
    }
    row = standing.opened
    if row is None:
        return context | {"next": _next(lists, None)}
    related = ("channel", "work_type", "agent", "tenant", "offered_to")
    session = Session.objects.select_related(*related).get(pk=row.pk)
    context |= {
        "session": session,
        "is_mine": row in standing.mine,
        "may_join": standing.may_join(row),
        "next": _next(lists, session),
        "may_log": request.user.has_perm("channels_app.view_delivery"),
    }
    if standing.may_read:
        context |= {
            "talk": talk(session, since=since),
            "before": [] if since else said_before(session),
            "contact": contact_of(session),
        }
        if request.user.has_perm("channels_app.view_session"):
            context["session_page"] = reverse(
                "admin:channels_app_session_change", args=[session.pk]
            )
    return context


def _next(lists: Lists, shown: Session | None) -> Line | None:
    """What to go on with: what waits for an answer in hand, else who waits longest."""
    unread = [line for line in lists.yours if line.unread]
    others = [line for line in [*unread, *lists.waiting] if not shown or line.session != shown]
    return others[0] if others else None


def answer(
    request: HttpRequest, agent: Agent, shown: int | None, problem: str = ""
) -> HttpResponse:
    """Answer a deed: a live page gets what changed by it, another is led back."""
    if request.headers.get(LIVE):
        return parts(request, look(agent, shown), problem=problem)
    if problem:
        messages.warning(request, problem)
    where = reverse("admin:channels_app_session_console")
    row = look(agent, shown).opened
    return redirect(f"{where}?session={row.public_id}" if row else where)
