"""What is done with agents: made, changed, removed."""

from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models import ProtectedError

from channels_app.models import Agent, Message, WorkType
from project.access.audit import Actor, record


class AgentInUse(Exception):
    """Sessions point at the agent. The message says so, for people."""


def create_agent(agent: Agent, *, by: Actor, work_types: Iterable[WorkType] = ()) -> None:
    """Store a new agent; without an alias they go by their first name."""
    if not agent.alias:
        agent.alias = default_alias(agent)
    with transaction.atomic():
        agent.save(force_insert=True)
        agent.work_types.set(work_types)
        details = {"user": agent.user.get_username(), "work_types": _codes(agent)}
        record(by, "agent.add", tenant=agent.tenant, target=agent, **details)


def change_agent(
    agent: Agent, *, by: Actor, work_types: Iterable[WorkType], changed: Sequence[str] = ()
) -> None:
    """Store alias, capacity and skills; ``changed`` names the fields, for the audit trail."""
    if not agent.alias:
        agent.alias = default_alias(agent)
    with transaction.atomic():
        # Presence and offers are written meanwhile by the agent's console.
        agent.save(update_fields=["alias", "capacity"])
        agent.work_types.set(work_types)
        details = {"fields": sorted(changed), "work_types": _codes(agent)}
        record(by, "agent.change", tenant=agent.tenant, target=agent, **details)


def delete_agent(agent: Agent, *, by: Actor) -> None:
    """Remove an agent who never answered. Raises AgentInUse."""
    if why := why_it_stays(agent):
        raise AgentInUse(why)
    try:
        with transaction.atomic():
            record(by, "agent.delete", tenant=agent.tenant, target=agent)
            agent.delete()
    except ProtectedError as error:
        raise AgentInUse("A session is offered to them.") from error


def why_it_stays(agent: Agent) -> str:
    """Say why an agent can't be removed; empty when they can.

    Asked before the ORM is: it would read all that they said, to name it.
    """
    has_any = agent.sessions.exists() or Message.objects.filter(agent=agent).exists()
    return "Their sessions are kept." if has_any else ""


def default_alias(agent: Agent) -> str:
    length = Agent._meta.get_field("alias").max_length
    return (agent.user.first_name or agent.user.get_username())[:length]


def _codes(agent: Agent) -> list[str]:
    return sorted(agent.work_types.values_list("code", flat=True))
