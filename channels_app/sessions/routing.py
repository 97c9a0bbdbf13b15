"""Whom a waiting session is offered to, and for how long.

An offer is a nudge, not a lock: whoever has the skill may join first. Whoever lets it pass is
passed over, until everybody has; then it begins anew.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from channels_app.models import Agent, EventKind, Session, SessionState
from channels_app.sessions.events import emit
from channels_app.sessions.locking import locked
from project.access.models import Tenant

# A console that was not open for so long has nobody before it; it looks each half second.
GONE_AFTER = timedelta(seconds=30)
AT_ONCE = 100  # sessions that one look goes through


def offer(session: Session, now: datetime, *, to: Agent | None = None) -> None:
    """Offer a locked, waiting session to the agent whose turn it is, or to one by name."""
    if session.state != SessionState.WAITING or session.work_type is None:
        return
    agent = to or _next(session, now)
    session.offered_to = agent
    seconds = session.work_type.offer_seconds
    session.offered_until = now + timedelta(seconds=seconds) if agent else None
    session.save(update_fields=["offered_to", "offered_until", "passed_by"])
    if agent is not None:
        Agent.objects.filter(pk=agent.pk).update(last_offered_at=now)
        emit(session, EventKind.OFFERED, data={"agentAlias": agent.alias, "seconds": seconds})


def _next(session: Session, now: datetime) -> Agent | None:
    here = Agent.objects.of(session.tenant).available().with_room()
    fit = here.filter(work_types=session.work_type_id, seen_at__gt=now - GONE_AFTER)
    turn = fit.order_by(F("last_offered_at").asc(nulls_first=True), "pk")
    agent = turn.exclude(pk__in=session.passed_by).first()
    if agent is None and session.passed_by:
        session.passed_by = []
        agent = turn.first()
    return agent


def route(tenant: Tenant, now: datetime | None = None) -> int:
    """Offer what waits and is offered to nobody, or was not taken in time. Returns how many.

    Called where something has changed: a session waits, an agent is there, time has passed.
    """
    now = now or timezone.now()
    moved = 0
    waiting = Session.objects.of(tenant).unoffered(now)
    if not Agent.objects.of(tenant).available().filter(seen_at__gt=now - GONE_AFTER).exists():
        waiting = waiting.exclude(offered_to=None)  # nobody is there, but offers lapse
    for pk in list(waiting.values_list("pk", flat=True)[:AT_ONCE]):
        with transaction.atomic():
            session = locked(pk)
            if _lapse(session, now):
                before = session.offered_to_id
                offer(session, now)
                moved += session.offered_to_id is not None or before is not None
    return moved


def _lapse(session: Session, now: datetime) -> bool:
    """Take an offer back that was not taken; False where there is nothing to offer any more."""
    if session.state != SessionState.WAITING:
        return False
    agent = session.offered_to
    if agent is None:
        return True
    if session.offered_until and session.offered_until > now:
        return False
    session.passed_by = [*session.passed_by, agent.pk]
    emit(session, EventKind.PASSED, data={"agentAlias": agent.alias})
    return True


def tenants_to_route(now: datetime) -> list[Tenant]:
    """Return the tenants where an offer has lapsed, or somebody may take what waits."""
    lapsed = Q(sessions__state=SessionState.WAITING) & (
        Q(sessions__offered_until__lte=now) | Q(sessions__offered_to=None)
    )
    return list(Tenant.objects.filter(lapsed).distinct())
