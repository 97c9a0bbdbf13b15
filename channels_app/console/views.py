"""The console's requests: the page, the look each half second, and what an agent does there."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from channels_app.chat_window import number
from channels_app.console.drawing import HERE, answer, look, no_agent, parts, whole_page
from channels_app.console.forms import SayForm, TransferForm
from channels_app.console.lines import mark_read
from channels_app.console.people import agent_of, colleagues_of, open_work_types
from channels_app.console.standing import standing_of
from channels_app.console.talk import talk
from channels_app.models import Agent, Presence, Session
from channels_app.sessions import services
from channels_app.sessions.files import say_with_file
from channels_app.sessions.presence import pass_on_excess, seen, set_presence
from channels_app.sessions.replies import replies_for
from channels_app.sessions.routing import route
from channels_app.sessions.services import NotPossible, Said

QUERY_MAX = 100  # characters of a search among replies
NO_CHOICE = "Choose an agent or a work type that is available."

View = Callable[..., HttpResponse]


def as_agent(view: View) -> View:
    """Hand the view the signed-in person as an agent; who is none is told what to do."""

    @never_cache
    @wraps(view)
    def seated(request: HttpRequest, **named: Any) -> HttpResponse:
        agent = agent_of(request)
        return no_agent(request) if agent is None else view(request, agent, **named)

    return seated


@require_safe
@as_agent
def page(request: HttpRequest, agent: Agent) -> HttpResponse:
    now = timezone.now()
    seen(agent, now)
    route(agent.tenant, now)
    return whole_page(request, look(agent, _shown(request, agent)))


@require_safe
@as_agent
def live(request: HttpRequest, agent: Agent) -> HttpResponse:
    """Draw what has changed since the page's version; 204 when nothing has.

    It notes that the agent is there and what they have read: nothing that another site could
    make use of by sending somebody's browser here.
    """
    try:
        since, read = (number(request.GET.get(name) or "0") for name in ("since", "read"))
        shown = _shown(request, agent)
    except ValueError:
        return HttpResponse(status=400)
    seen(agent, timezone.now())
    standing = look(agent, shown)
    if read and mark_read(standing, agent, read):
        standing = standing_of(agent, standing.shown)
    if request.GET.get("version") == standing.version:
        return HttpResponse(status=204)
    return parts(request, standing, since=since)


@require_POST
@as_agent
def presence(request: HttpRequest, agent: Agent) -> HttpResponse:
    wanted = request.POST.get("presence", "")
    if wanted not in Presence.values:
        return HttpResponse(status=400)
    set_presence(agent, Presence(wanted))
    return answer(request, agent, _shown(request, agent))


@require_POST
@as_agent
def join(request: HttpRequest, agent: Agent, public_id: UUID) -> HttpResponse:
    session = _session(agent, public_id)
    try:
        services.join(session, agent=agent)
    except NotPossible as problem:
        return answer(request, agent, _shown(request, agent), str(problem))
    pass_on_excess(agent, timezone.now())
    route(agent.tenant)
    return answer(request, agent, session.pk)


@require_POST
@as_agent
def say(request: HttpRequest, agent: Agent, public_id: UUID) -> HttpResponse:
    session = _session(agent, public_id)
    form = SayForm(request.POST, request.FILES)
    if not form.is_valid():
        return answer(request, agent, session.pk, form.problem)
    text, file = form.cleaned_data["text"], form.cleaned_data["file"]
    try:
        if file is None:
            services.say(session, Said(text), agent=agent, public_id=form.public_id)
        else:
            say_with_file(
                session,
                text=text,
                name=file.name or "",
                content=file.read(),
                agent=agent,
                public_id=form.public_id,
            )
    except NotPossible as problem:
        return answer(request, agent, session.pk, f"{problem} Nothing was sent.")
    return answer(request, agent, session.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@as_agent
def transfer(request: HttpRequest, agent: Agent, public_id: UUID) -> HttpResponse:
    """GET: to whom it may go, as things stand now. POST: hand it on."""
    session = _session(agent, public_id)
    if request.method != "POST":
        now = timezone.now()
        context = {
            "session": session,
            "colleagues": colleagues_of(agent, now),
            "work_types": open_work_types(agent, now),
        }
        return render(request, f"{HERE}/transfer.html", context)
    form = TransferForm(request.POST, agent=agent)
    if not form.is_valid():
        return answer(request, agent, session.pk, NO_CHOICE)
    try:
        services.transfer(
            session, agent=agent, to_agent=form.to_agent, to_work_type=form.to_work_type
        )
    except NotPossible as problem:
        return answer(request, agent, session.pk, str(problem))
    route(agent.tenant)
    return answer(request, agent, session.pk)


@require_POST
@as_agent
def end(request: HttpRequest, agent: Agent, public_id: UUID) -> HttpResponse:
    session = _session(agent, public_id)
    try:
        services.end_by_agent(session, agent=agent)
    except NotPossible as problem:
        return answer(request, agent, session.pk, str(problem))
    route(agent.tenant)
    return answer(request, agent, session.pk)


@require_safe
@as_agent
def replies(request: HttpRequest, agent: Agent, public_id: UUID) -> HttpResponse:
    """Offer texts to answer with, to whoever has the session."""
    session = _readable(agent, public_id)
    query = request.GET.get("q", "")[:QUERY_MAX]
    return render(request, f"{HERE}/replies.html", {"replies": replies_for(session, query)})


@require_safe
@as_agent
def earlier(request: HttpRequest, agent: Agent, public_id: UUID) -> HttpResponse:
    """Draw the messages above one."""
    session = _readable(agent, public_id)
    try:
        before = number(request.GET.get("before", ""))
    except ValueError:
        return HttpResponse(status=400)
    context = {
        "session": session,
        "talk": talk(session, before=before),
        "may_log": request.user.has_perm("channels_app.view_delivery"),
    }
    return render(request, f"{HERE}/messages.html", context)


def _shown(request: HttpRequest, agent: Agent) -> int | None:
    """Return the id of the session that the page shows. Raises Http404 for what names none.

    The look each half second names it by id, which spares a query.
    """
    asked = request.POST.get("session") or request.GET.get("session")
    try:
        if row := request.GET.get("row"):
            return number(row)
        return _session(agent, UUID(asked)).pk if asked else None
    except ValueError as error:
        raise Http404("There is no such session here.") from error


def _session(agent: Agent, public_id: UUID) -> Session:
    rows = Session.objects.of(agent.tenant).select_related("tenant", "channel")
    found: Session | None = rows.filter(public_id=public_id).first()
    if found is None:
        raise Http404("There is no such session here.")
    return found


def _readable(agent: Agent, public_id: UUID) -> Session:
    """Return a session that is, or was last, the agent's. Raises Http404 for any other."""
    session = _session(agent, public_id)
    if not standing_of(agent, session.pk).may_read:
        raise Http404("There is no such session here.")
    return session
