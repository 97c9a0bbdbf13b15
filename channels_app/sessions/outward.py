"""Sessions that we opened at a far end, as its client: what is heard of them from there.

Each deed is done in its caller's transaction, with the session's row locked.
"""

from datetime import datetime

from channels_app.models import (
    Author,
    Message,
    MessageState,
    Session,
    SessionState,
    WorkType,
)
from channels_app.sessions.people import person_at
from channels_app.sessions.routing import offer
from channels_app.sessions.services import Said


def never_came_up(session: Session, reason: str, *, now: datetime) -> None:
    session.state, session.reason, session.ended_at = SessionState.FAILED, reason[:200], now
    session.offered_to, session.offered_until = None, None
    session.save(update_fields=["state", "reason", "ended_at", "offered_to", "offered_until"])


def hear(
    session: Session,
    said: Said,
    *,
    name: str,
    at: datetime,
    vendor_id: str = "",
    problem: str = "",
) -> Message:
    """Keep what was said at the far end. ``problem``: why it can't be shown as it is."""
    return Message.objects.create(
        session=session,
        author=Author.CONTACT,
        author_name=name,
        state=MessageState.FAILED if problem else MessageState.PROCESSED,
        reason=problem[:200],
        at=at,
        vendor_id=vendor_id[:100],
        **said.as_fields(),
    )


def ask_for_an_agent(session: Session, work_type: WorkType, *, now: datetime) -> bool:
    """Let a session that nobody had here wait for an agent; False where somebody has it."""
    if session.state != SessionState.QUIET:
        return False
    session.state, session.waiting_since, session.work_type = SessionState.WAITING, now, work_type
    # Opened for a login or an address, many at once; agents know people by their names.
    if person := person_at(session.channel, session.contact):
        session.contact_name = person.name
    session.save(update_fields=["state", "waiting_since", "work_type", "contact_name"])
    offer(session, now)
    return True
