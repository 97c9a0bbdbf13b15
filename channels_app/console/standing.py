"""What a console looks at each half second: rows enough to tell whether anything has changed.

Twenty agents ask forty times a second, and mostly nothing has changed. So one query brings the
queue, what the agent has in hand and the session that is shown, with what any change of theirs
would alter; only a change is drawn, which takes more.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import (
    Case,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce

from channels_app.models import Agent, Message, Presence, Session, SessionState, State
from project.access.models import Tenant
from project.prepared import Look

SHOWN = 50  # of those who wait; the oldest
_MOST = SHOWN + 51  # rows: those, what one agent may have in hand, and the one that is shown


class Row(NamedTuple):
    """A session, as far as the console changes with it."""

    pk: int
    public_id: UUID
    state: str
    agent_id: int | None
    work_type_id: int | None
    waiting_since: datetime | None
    offered_to_id: int | None
    offered_until: datetime | None
    ends_at: datetime | None
    read_up_to: int
    is_skill: bool  # it is of the agent's work types
    last: int  # its last message's id
    told: int  # changes when the far end has been told of a message; of the shown one only


_NEVER = datetime.max.replace(tzinfo=UTC)
ANNOTATED = ("is_skill", "last", "told")
COLUMNS = tuple(name for name in Row._fields if name not in ANNOTATED)


@dataclass(frozen=True)
class Standing:
    """How things stand for one agent. ``shown``: the id of the session that the console shows."""

    agent: Agent
    rows: Sequence[Row]
    shown: int | None = None
    opened: Row | None = field(init=False, default=None)
    waiting: list[Row] = field(init=False, default_factory=list)  # offered to them first
    mine: list[Row] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        opened = next((row for row in self.rows if row.pk == self.shown), None)
        object.__setattr__(self, "opened", opened)
        me = self.agent.pk
        for row in self.rows:
            if row.state == SessionState.ACTIVE and row.agent_id == me:
                self.mine.append(row)
            elif self.may_join(row):
                self.waiting.append(row)

    def may_join(self, row: Row) -> bool:
        is_mine = row.is_skill or row.offered_to_id == self.agent.pk
        return row.state == SessionState.WAITING and is_mine

    @property
    def may_read(self) -> bool:
        """Whether the shown session's conversation may be shown: it is, or was last, theirs."""
        row = self.opened
        return row is not None and (row.agent_id == self.agent.pk or self.may_join(row))

    @property
    def version(self) -> str:
        me = (self.agent.presence, self.agent.capacity, self.agent.alias, self.shown)
        return hashlib.sha256(repr((me, *self.rows)).encode()).hexdigest()[:20]

    def needs_routing(self, now: datetime) -> bool:
        """Whether an offer has lapsed, or something is offered to nobody and could be to them."""
        asked = sum(row.offered_to_id == self.agent.pk for row in self.waiting)
        has_room = len(self.mine) + asked < self.agent.capacity
        takes = self.agent.presence == Presence.AVAILABLE and has_room
        return any(
            takes if row.offered_until is None else row.offered_until <= now for row in self.waiting
        )


def standing_of(agent: Agent, shown: int | None) -> Standing:
    """See how things stand. ``shown``: the id of the session that the console shows."""
    found = _rows.all(agent.pk, agent.tenant_id, shown or 0)
    rows = [Row._make(getattr(each, name) for name in Row._fields) for each in found]
    rows.sort(key=lambda row: (row.offered_to_id != agent.pk, row.waiting_since or _NEVER, row.pk))
    return Standing(agent, rows, shown)


def _look(agent_id: int, tenant_id: int, shown: int) -> QuerySet[Session]:
    agent = Agent(pk=agent_id, tenant_id=tenant_id)
    skill = Agent.work_types.through.objects.filter(
        agent_id=agent_id, worktype=OuterRef("work_type")
    )
    last = Message.objects.filter(session=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    rows = (
        Session.objects.waiting().for_skills_of(agent)
        | Session.objects.of_agent(agent)
        | Session.objects.of(Tenant(pk=tenant_id)).filter(pk=shown)
    )
    found = rows.annotate(
        is_skill=Exists(skill),
        last=Coalesce(Subquery(last), _whole(0)),
        told=Coalesce(Case(When(pk=shown, then=Subquery(_told())), default=_whole(0)), _whole(0)),
    )
    offered_first = Case(When(Q(offered_to=agent), then=_whole(0)), default=_whole(1))
    waiting_last = Case(When(state=SessionState.WAITING, then=_whole(1)), default=_whole(0))
    # The one that is shown is among them however long the queue is; see standing_of.
    shown_first = Case(When(pk=shown, then=0), default=1)
    order = (shown_first, waiting_last, offered_first, "waiting_since", "pk")
    return found.order_by(*order).only(*COLUMNS)[:_MOST]


def _told() -> QuerySet[Message, Any]:
    """How far the session's messages are: a number that any step of a delivery changes."""
    steps = (When(event__delivery__state=each, then=_whole(n)) for n, each in enumerate(State, 1))
    step = Case(*steps, default=_whole(0))
    messages = Message.objects.filter(session=OuterRef("pk"), event__isnull=False).order_by()
    return messages.values("session").annotate(sum=Sum(F("pk") * step)).values("sum")


def _whole(number: int) -> Cast:
    """A number that PostgreSQL takes for one: in a prepared statement, CASE alone tells no type."""
    return Cast(Value(number), IntegerField())


_rows = Look(_look)
