"""Agents say whether they take sessions, and their open console says that they are there."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from channels_app.models import Agent, Presence, Session
from channels_app.sessions.routing import route

# A console looks each half second; so much writing would say no more.
SEEN_EVERY = timedelta(seconds=5)


def set_presence(agent: Agent, presence: Presence) -> None:
    """Let an agent take sessions, or no more. What was offered to one who leaves moves on."""
    now = timezone.now()
    agent.presence = presence
    agent.save(update_fields=["presence"])
    if presence == Presence.AVAILABLE:
        seen(agent, now)
    else:
        _pass_on(agent, now)
    route(agent.tenant, now)


def pass_on_excess(agent: Agent, now: datetime) -> None:
    """Let go of the latest offers that an agent, who has taken another session, has no room for."""
    loaded = Agent.objects.with_load().get(pk=agent.pk)
    room = max(0, loaded.capacity - loaded.load)
    if loaded.offered > room:
        _pass_on(agent, now, keep=room)


def _pass_on(agent: Agent, now: datetime, *, keep: int = 0) -> None:
    """Let what is offered to an agent lapse now, all but the oldest so many."""
    offered = Session.objects.waiting().filter(offered_to=agent)
    kept = list(offered.order_by("offered_until", "pk").values_list("pk", flat=True)[:keep])
    with transaction.atomic():
        # In the order in which all lock several.
        rows = offered.exclude(pk__in=kept).select_for_update(of=("self",)).order_by("pk")
        pks = list(rows.values_list("pk", flat=True))
        Session.objects.filter(pk__in=pks).update(offered_until=now)


def seen(agent: Agent, now: datetime) -> None:
    """Note that the agent's console is open: only who is there is asked."""
    if agent.seen_at is not None and agent.seen_at > now - SEEN_EVERY:
        return
    # Several windows of one person write once.
    stale = Q(seen_at=None) | Q(seen_at__lte=now - SEEN_EVERY)
    Agent.objects.filter(stale, pk=agent.pk).update(seen_at=now)
    agent.seen_at = now
