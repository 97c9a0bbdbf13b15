"""Whom a waiting session is offered to, and for how long.

An offer is a nudge, not a lock: whoever has the skill may join first. An agent has no more offers
than room for them. Whoever lets one pass is not asked for the same session for some minutes; if
nobody else is there, it stays in the queue that all see.
"""

import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.cache import cache
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from channels_app.models import Agent, EventKind, Session, SessionState
from channels_app.sessions.events import emit
from channels_app.sessions.locking import locked
from project.access.models import Tenant

log = logging.getLogger(__name__)

# A console that was not open for so long has nobody before it; it looks each half second.
GONE_AFTER = timedelta(seconds=30)
ASKED_AGAIN_AFTER = timedelta(minutes=5)
AT_MOST = 5  # seconds that one who routes keeps others from it, should its process die
AT_ONCE = 100  # sessions that one call goes through
A_FEW = 4  # that a console's look does: writers have room between two of them


@dataclass(slots=True)
class Free:
    """An agent who could take ``room`` more sessions, of these work types."""

    agent: Agent
    room: int
    skills: frozenset[int]

    def fits(self, session: Session, now: datetime) -> bool:
        passed_at = session.passed_by.get(str(self.agent.pk), 0)
        rested = now.timestamp() - passed_at >= ASKED_AGAIN_AFTER.total_seconds()
        return self.room > 0 and rested and session.work_type_id in self.skills


def free_agents(tenant: Tenant, now: datetime) -> list[Free]:
    """Return those who are there and have room, whoever was asked longest ago first."""
    here = Agent.objects.of(tenant).available().filter(seen_at__gt=now - GONE_AFTER)
    turn = here.with_load().order_by(F("last_offered_at").asc(nulls_first=True), "pk")
    free = []
    for agent in turn.prefetch_related("work_types"):
        skills = frozenset(kind.pk for kind in agent.work_types.all())
        free.append(Free(agent, agent.capacity - agent.load - agent.offered, skills))
    return [one for one in free if one.room > 0]


def offer(session: Session, now: datetime, *, to: Agent | None = None) -> bool:
    """Offer a locked, waiting session to one agent by name, or to whose turn it is."""
    if to is not None:
        return _offer(session, to, now)
    return _offer_in_turn(session, free_agents(session.tenant, now), now)


def route(tenant: Tenant, now: datetime | None = None, *, most: int = AT_ONCE) -> int:
    """Take back the offers that nobody took, and offer what waits. Returns how many it offered.

    Called where something has changed: an agent is there or has room, time has passed. Writes
    only where there is something to do. ``most``: how many sessions it goes through, the oldest.
    """
    now = now or timezone.now()
    lapsed = Session.objects.of(tenant).lapsed(now).values_list("pk", flat=True)
    for pk in list(lapsed[:most]):
        _take_back(pk, now)
    free = free_agents(tenant, now)
    if not free:
        return 0
    offered = 0
    skills = frozenset[int]().union(*(one.skills for one in free))
    waiting = Session.objects.of(tenant).unoffered().filter(work_type__in=skills)
    for session in waiting.only("pk", "work_type", "passed_by")[:AT_ONCE]:
        if offered == most:
            break
        if any(one.fits(session, now) for one in free):
            with transaction.atomic():
                row = locked(session.pk)  # as it is now: it may have been handed on meanwhile
                if row.offered_to_id is None:
                    offered += _offer_in_turn(row, free, now)
    return offered


def route_if_nobody_does(tenant: Tenant, now: datetime) -> int:
    """Route a little for a console's look, unless somebody is at it in this moment.

    All consoles see the same offer lapse; each would take the session's lock to find it moved. A
    cache that is down keeps nobody from it.
    """
    at_it = f"routing:{tenant.pk}"
    try:
        is_free = cache.add(at_it, 1, AT_MOST)
    except Exception:
        log.exception("The cache does not answer.")
        is_free = True
    if not is_free:
        return 0
    try:
        return route(tenant, now, most=A_FEW)
    finally:
        with suppress(Exception):  # else it lapses
            cache.delete(at_it)


def tenants_to_route(now: datetime) -> list[Tenant]:
    """Return the tenants where something waits that is offered to nobody any more."""
    waiting = Q(sessions__state=SessionState.WAITING)
    lapsed = Q(sessions__offered_to=None) | Q(sessions__offered_until__lte=now)
    return list(Tenant.objects.filter(waiting & lapsed).distinct())


def _offer_in_turn(session: Session, free: Iterable[Free], now: datetime) -> bool:
    """Offer a locked session to the first who fits and still has room."""
    for one in free:
        if not one.fits(session, now):
            continue
        if not _still_has_room(one.agent):
            one.room = 0
            continue
        one.room -= 1
        return _offer(session, one.agent, now)
    return False


def _still_has_room(agent: Agent) -> bool:
    """Look again, with the agent's row locked: others may have offered them something meanwhile.

    Whoever is being offered something in this moment is passed over. To wait for them could be
    for ever, if who holds them waits for one that is held here.
    """
    rows = Agent.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=agent.pk)
    if not rows.values_list("pk", flat=True).first():
        return False
    counted = Agent.objects.available().with_load().filter(pk=agent.pk).first()
    return counted is not None and counted.capacity > counted.load + counted.offered


def _offer(session: Session, agent: Agent, now: datetime) -> bool:
    if session.state != SessionState.WAITING or session.work_type is None:
        return False
    seconds = session.work_type.offer_seconds
    session.offered_to, session.offered_until = agent, now + timedelta(seconds=seconds)
    session.save(update_fields=["offered_to", "offered_until"])
    Agent.objects.filter(pk=agent.pk).update(last_offered_at=now)
    emit(session, EventKind.OFFERED, data={"agentAlias": agent.alias, "seconds": seconds})
    return True


def _take_back(pk: int, now: datetime) -> None:
    with transaction.atomic():
        session = locked(pk)
        agent, until = session.offered_to, session.offered_until
        if agent is None or until is None or until > now:
            return
        session.passed_by = {**session.passed_by, str(agent.pk): until.timestamp()}
        session.offered_to, session.offered_until = None, None
        session.save(update_fields=["offered_to", "offered_until", "passed_by"])
        emit(session, EventKind.PASSED, data={"agentAlias": agent.alias})
