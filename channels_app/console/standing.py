"""What a console looks at each half second: rows enough to tell whether anything has changed.

Twenty agents ask forty times a second, and mostly nothing has changed. So one query brings the
queue, what the agent has in hand and the session that is shown, with what any change of theirs
would alter; only a change is drawn, which takes more.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Case, Exists, F, IntegerField, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce

from channels_app.models import Agent, Message, Presence, Session, SessionState, State

SHOWN = 50  # of those who wait; the oldest
_MOST = SHOWN + 51  # rows: those, what one agent may have in hand, and the one that is shown


class Row(NamedTuple):
    """A session, as far as the console changes with it."""

    pk: int
    public_id: UUID
    state: str
    agent: int | None
    work_type: int | None
    waiting_since: datetime | None
    offered_to: int | None
    offered_until: datetime | None
    ends_at: datetime | None
    read_up_to: int
    is_skill: bool  # it is of the agent's work types
    last: int  # its last message's id
    told: int  # changes when the far end has been told of a message; of the shown one only


@dataclass(frozen=True)
class Standing:
    """How things stand for one agent. ``shown``: the session that the console shows."""

    agent: Agent
    rows: Sequence[Row]
    shown: UUID | None = None
    opened: Row | None = field(init=False, default=None)
    waiting: list[Row] = field(init=False, default_factory=list)  # offered to them first
    mine: list[Row] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        opened = next((row for row in self.rows if row.public_id == self.shown), None)
        object.__setattr__(self, "opened", opened)
        me = self.agent.pk
        for row in self.rows:
            if row.state == SessionState.ACTIVE and row.agent == me:
                self.mine.append(row)
            elif self.may_join(row):
                self.waiting.append(row)

    def may_join(self, row: Row) -> bool:
        is_mine = row.is_skill or row.offered_to == self.agent.pk
        return row.state == SessionState.WAITING and is_mine

    @property
    def may_read(self) -> bool:
        """Whether the shown session's conversation may be shown: it is, or was last, theirs."""
        row = self.opened
        return row is not None and (row.agent == self.agent.pk or self.may_join(row))

    @property
    def has_room(self) -> bool:
        return len(self.mine) < self.agent.capacity

    @property
    def version(self) -> str:
        me = (self.agent.presence, self.agent.capacity, self.agent.alias, self.shown)
        return hashlib.sha256(repr((me, *self.rows)).encode()).hexdigest()[:20]

    def needs_routing(self, now: datetime) -> bool:
        """Whether an offer has lapsed, or something is offered to nobody and could be to them."""
        takes = self.agent.presence == Presence.AVAILABLE and self.has_room
        return any(
            takes if row.offered_until is None else row.offered_until <= now for row in self.waiting
        )


def standing_of(agent: Agent, shown: UUID | None) -> Standing:
    last = Message.objects.filter(session=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    skill = Agent.work_types.through.objects.filter(agent=agent, worktype=OuterRef("work_type"))
    zero = Value(0, output_field=IntegerField())
    of_shown = When(public_id=shown, then=Subquery(_told())) if shown else When(pk=None, then=zero)
    queue = Session.objects.waiting().for_skills_of(agent)
    rows = queue | Session.objects.of_agent(agent)
    if shown:
        rows |= Session.objects.of(agent.tenant).filter(public_id=shown)
    found = (
        rows.annotate(
            is_skill=Exists(skill),
            last=Coalesce(Subquery(last), zero),
            told=Coalesce(Case(of_shown, default=zero), zero),
            turn=Case(When(state=SessionState.WAITING, then=1), default=0),
            to_me=Case(When(Q(offered_to=agent), then=0), default=1),
        )
        .order_by("turn", "to_me", "waiting_since", "pk")
        .values_list(
            *("pk", "public_id", "state", "agent", "work_type", "waiting_since", "offered_to"),
            *("offered_until", "ends_at", "read_up_to", "is_skill", "last", "told"),
        )
    )
    by_field = (Row._make(row) for row in found[:_MOST])
    return Standing(agent, list(by_field), shown)


def _told() -> Any:
    """How far the session's messages are: a number that any step of a delivery changes."""
    steps = (When(event__delivery__state=state, then=n) for n, state in enumerate(State, 1))
    step = Case(*steps, default=0, output_field=IntegerField())
    messages = Message.objects.filter(session=OuterRef("pk"), event__isnull=False).order_by()
    return messages.values("session").annotate(sum=Sum(F("pk") * step)).values("sum")
