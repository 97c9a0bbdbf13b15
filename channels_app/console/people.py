"""Who sits at the console, and to whom they may hand a session on."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, Q, QuerySet
from django.http import HttpRequest

from channels_app.models import Agent, WorkType
from channels_app.sessions.routing import GONE_AFTER
from project.access.current import tenant_of
from project.access.models import User
from project.prepared import Look

ANSWER = "answer_session"


def agent_of(request: HttpRequest) -> Agent | None:
    """Return the signed-in person as an agent of the tenant they work in; None: they are none.

    Raises PermissionDenied for whoever may not answer. The right is asked for along with the
    agent, as this happens each half second; `has_perm` would be two queries more.
    """
    user = request.user
    if not isinstance(user, User):
        raise PermissionDenied("Sign in first.")
    tenant = tenant_of(request)
    agent = _agents.first(user.pk, tenant.pk)
    granted = agent is not None and agent.may_answer  # type: ignore[attr-defined]
    if not granted and not user.has_perm(f"channels_app.{ANSWER}"):
        raise PermissionDenied
    if agent is not None:
        agent.tenant = tenant  # known already
    return agent


def _look(user: int, tenant: int) -> QuerySet[Agent]:
    may = Permission.objects.filter(
        Q(user=user) | Q(group__user=user),
        codename=ANSWER,
        content_type__app_label="channels_app",
    )
    return Agent.objects.filter(user=user, tenant=tenant).annotate(may_answer=Exists(may))


_agents = Look(_look)


@dataclass(frozen=True, slots=True)
class Colleague:
    agent: Agent
    load: int
    is_here: bool  # their console is open


def colleagues_of(agent: Agent, now: datetime) -> list[Colleague]:
    """Return who else is available; those whose console is open and who have room come first."""
    others = Agent.objects.of(agent.tenant).available().with_load().exclude(pk=agent.pk)
    found = [
        Colleague(
            other,
            other.load,
            other.seen_at is not None and other.seen_at > now - GONE_AFTER,
        )
        for other in others
    ]
    return sorted(found, key=lambda one: (not one.is_here, one.load >= one.agent.capacity))


def open_work_types(agent: Agent, now: datetime) -> list[WorkType]:
    """Return the tenant's work types whose agents are at work now."""
    rows = WorkType.objects.of(agent.tenant).active().select_related("tenant")
    return [row for row in rows.prefetch_related("hours") if row.is_open(now)]
