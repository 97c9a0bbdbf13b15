"""The lines of the list of sessions."""

from dataclasses import dataclass

from channels_app.log.words import Clock
from channels_app.models import Session, SessionState
from channels_app.records.words import lasted, waited


@dataclass(frozen=True, slots=True)
class Line:
    session: Session
    when: str
    full: str
    work_type: str
    waited: str
    lasted: str
    note: str  # what the state alone does not say


def lines(sessions: list[Session], clock: Clock) -> list[Line]:
    return [
        Line(
            session=session,
            when=clock.when(session.created_at),
            full=clock.full(session.created_at),
            work_type=str(session.work_type or session.asked_work_type),
            waited=waited(session, clock.now),
            lasted=lasted(session, clock.now),
            note=_note(session),
        )
        for session in sessions
    ]


def _note(session: Session) -> str:
    if session.state == SessionState.FAILED:
        return session.reason
    if session.state == SessionState.ENDED:
        by = session.get_ended_by_display()
        return f"by {by[0].lower()}{by[1:]}" if by else ""
    if session.state == SessionState.WAITING and session.offered_to:
        return f"offered to {session.offered_to}"
    return ""
