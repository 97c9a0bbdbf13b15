"""The left column: who waits, and what the agent has in hand."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, F, Max

from channels_app.console.standing import SHOWN, Row, Standing
from channels_app.models import Agent, Author, Message, Session

WORDS = 120  # characters of a message's beginning


@dataclass(frozen=True, slots=True)
class Line:
    """A session in the list."""

    session: Session
    row: Row
    words: str
    by: str  # who said that, where it is not the contact
    unread: int = 0
    is_offered: bool = False  # to the agent, by name or by turn
    is_shown: bool = False


@dataclass(frozen=True, slots=True)
class Lists:
    waiting: Sequence[Line]
    yours: Sequence[Line]
    offered: int
    more: int  # who wait beyond those that are listed
    unread: int

    @property
    def waits(self) -> int:
        return len(self.waiting) + self.more


def lists_of(standing: Standing) -> Lists:
    agent, waiting = standing.agent, standing.waiting[:SHOWN]
    rows = [*waiting, *standing.mine]
    sessions = Session.objects.select_related("work_type", "channel").in_bulk(
        [row.pk for row in rows]
    )
    last = _last_words(waiting, standing.mine)
    unread = _unread(standing)

    def line(row: Row) -> Line:
        message = last.get(row.pk)
        return Line(
            session=sessions[row.pk],
            row=row,
            words=_words(message),
            by=_by(message, agent),
            unread=unread.get(row.pk, 0),
            is_offered=row.offered_to_id == agent.pk,
            is_shown=row.pk == standing.shown,
        )

    more = 0
    if len(standing.waiting) > SHOWN:
        more = Session.objects.waiting().for_skills_of(agent).distinct().count() - SHOWN
    lines = [line(row) for row in waiting]
    return Lists(
        waiting=lines,
        yours=[line(row) for row in standing.mine],
        offered=sum(one.is_offered for one in lines),
        more=max(0, more),
        unread=sum(unread.values()),
    )


def _last_words(waiting: Sequence[Row], mine: Sequence[Row]) -> dict[int, Message]:
    """Return by session what was said last; of one that waits, by the contact if they spoke."""
    of = {row.last: row.pk for row in (*waiting, *mine) if row.last}
    last = {of[pk]: message for pk, message in Message.objects.in_bulk(list(of)).items()}
    waits = {row.pk for row in waiting}
    others = [pk for pk, one in last.items() if pk in waits and one.author != Author.CONTACT]
    if others:
        said = Message.objects.from_contact().filter(session__in=others).order_by()
        newest = said.values("session").annotate(newest=Max("pk")).values("newest")
        last |= {one.session_id: one for one in Message.objects.filter(pk__in=newest)}
    return last


def _unread(standing: Standing) -> dict[int, int]:
    """Count by session what the contact said since the agent looked."""
    said = Message.objects.from_contact().filter(
        session__in=[row.pk for row in standing.mine], pk__gt=F("session__read_up_to")
    )
    counted = said.order_by().values("session").annotate(unread=Count("pk"))
    return dict(counted.values_list("session", "unread"))


def _by(message: Message | None, agent: Agent) -> str:
    if message is None or message.author == Author.CONTACT:
        return ""
    return "You" if message.agent_id == agent.pk else message.author_name


def _words(message: Message | None) -> str:
    if message is None:
        return ""
    if message.text:
        return " ".join(message.text[: WORDS * 2].split())[:WORDS]
    return message.get_attachment_type_display()


def mark_read(standing: Standing, agent: Agent, up_to: int) -> bool:
    """Note what the agent has seen of the session that is shown; True when that is news."""
    row = standing.opened
    if row is None or row not in standing.mine or min(up_to, row.last) <= row.read_up_to:
        return False
    seen = min(up_to, row.last)
    mine = Session.objects.of_agent(agent).filter(pk=row.pk, read_up_to__lt=seen)
    return mine.update(read_up_to=seen) > 0
