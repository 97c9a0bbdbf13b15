"""What is done with sessions: opened, brought up, answered, transferred, ended.

Each deed is one transaction with the session's row locked. Views, the console, the vendors'
routes and tasks all call these.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone

from channels_app.models import (
    Agent,
    Author,
    Channel,
    EndedBy,
    EventKind,
    Message,
    MessageState,
    Session,
    SessionState,
    WorkType,
)
from channels_app.models.session import CLOSED
from channels_app.sessions.attachments import attachment_problem
from channels_app.sessions.events import emit
from channels_app.sessions.faces import LIFE, face_of
from channels_app.sessions.locking import locked
from channels_app.sessions.routing import offer
from channels_app.sessions.waking import wake_for_sessions
from project.access.models import ApiClient

GONE = "Session does not exist"  # Alvaria's own words
ELSEWHERE = "It belongs to another organisation."


class NotPossible(Exception):
    """The deed does not fit the session as it is. The message says why, for people."""


class TooMany(Exception):
    """The system has as many open sessions as it may."""


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody says in a session: a text, an attachment, or both."""

    text: str = ""
    attachment_type: str = ""
    attachment_url: str = ""
    attachment_name: str = ""

    def as_fields(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


# --- opened and brought up ----------------------------------------------------------------------


def open_session(
    channel: Channel,
    *,
    client: ApiClient | None,
    work_type: str,
    contact_name: str,
    contact: str = "",
    integration: str = "",
    attributes: Mapping[str, Any] | None = None,
    most: int = 0,
) -> Session:
    """Store a provisional session; a worker brings it up and says what came of it.

    ``contact`` is who it is on that channel; without one, the session is a contact of its own.
    ``most``: how many the client may have open at once; 0 is no limit. Raises TooMany.
    """
    now = timezone.now()
    session = Session(
        tenant=channel.tenant,
        channel=channel,
        client=client,
        asked_work_type=work_type,
        contact_name=contact_name,
        integration=integration,
        attributes=dict(attributes or {}),
        created_at=now,
    )
    session.contact = contact or str(session.public_id)
    if face_of(session).ends_unanswered:
        session.ends_at = now + LIFE
    with transaction.atomic():
        if client is not None and most:
            # Locked, so that two requests at once don't both find the last place free.
            ApiClient.objects.select_for_update(no_key=True).get(pk=client.pk)
            if Session.objects.open().filter(client=client).count() >= most:
                raise TooMany(f"This client has {most} open sessions, as many as it may.")
        session.save(force_insert=True)
        wake_for_sessions()
    return session


def bring_up(pk: int) -> None:
    """Let a provisional session wait for an agent, or say why it can't. Repeating it is safe."""
    with transaction.atomic():
        session = locked(pk)
        if session.state == SessionState.OPENING:
            _bring_up(session, timezone.now())


def _bring_up(session: Session, now: datetime) -> None:
    found = WorkType.objects.of(session.tenant).active().filter(code=session.asked_work_type)
    work_type = found.select_related("tenant").prefetch_related("hours").first()
    problem = closed = ""
    if work_type is None:
        problem = "Work type does not exist"
    elif not work_type.is_open(now):
        closed = face_of(session).when_closed(work_type, now)
        problem = "" if closed else "Work type is closed"
    if problem:
        session.state, session.reason, session.ended_at = SessionState.FAILED, problem, now
        session.save(update_fields=["state", "reason", "ended_at"])
        emit(session, EventKind.NEW_SESSION, data={"status": "FAILED", "statusMessage": problem})
    else:
        session.work_type = work_type
        emit(session, EventKind.NEW_SESSION, data={"status": "SUCCESS"})
        _let_wait(session, now)
    for message in Message.objects.of_session(session).accepted():
        _process(session, message)
    if closed:
        _tell(session, Said(text=closed), Author.SYSTEM, session.tenant.name, None)


def _let_wait(
    session: Session,
    now: datetime,
    *,
    for_agent: Agent | None = None,
    passed_by: Agent | None = None,
) -> None:
    """``passed_by``: who has handed it on, and is not the next to be asked."""
    session.state, session.waiting_since, session.agent = SessionState.WAITING, now, None
    session.passed_by = {str(passed_by.pk): now.timestamp()} if passed_by else {}
    session.joined_at = None
    session.offered_to, session.offered_until = None, None
    session.save(
        update_fields=[
            *("state", "work_type", "waiting_since", "agent", "passed_by", "joined_at"),
            *("offered_to", "offered_until"),
        ]
    )
    offer(session, now, to=for_agent)


# --- said ---------------------------------------------------------------------------------------


def accept_message(session: Session, said: Said, *, public_id: UUID | None = None) -> Message:
    """Take what the contact says. What can't be processed is kept, and the far end is told.

    ``public_id`` is the message's, where the caller has one for it.
    """
    with transaction.atomic():
        session = locked(session.pk)
        message = Message.objects.create(
            session=session,
            author=Author.CONTACT,
            author_name=session.contact_name,
            state=MessageState.ACCEPTED,
            public_id=public_id or uuid4(),
            **said.as_fields(),
        )
        if session.state != SessionState.OPENING:
            _process(session, message)
    return message


def _process(session: Session, message: Message) -> None:
    if not session.is_open:
        problem = GONE
    elif message.attachment_url:
        problem = attachment_problem(message.attachment_url, session.channel)
    else:
        problem = ""
    message.state = MessageState.FAILED if problem else MessageState.PROCESSED
    message.reason = problem
    message.save(update_fields=["state", "reason"])
    if problem:
        emit(
            session,
            EventKind.MESSAGE_STATUS,
            data={
                "status": "FAILED",
                "messageId": str(message.public_id),
                "statusMessage": problem,
            },
        )


def say(session: Session, said: Said, *, agent: Agent, public_id: UUID | None = None) -> Message:
    """Tell the contact something, as the agent who has the session. Raises NotPossible.

    A repeated ``public_id`` returns the first message and tells nothing.
    """
    with transaction.atomic():
        session = locked(session.pk)
        if known := said_before(session, public_id):
            return known
        _must_have(session, agent)
        return _tell(session, said, Author.AGENT, agent.alias, agent, public_id=public_id)


def said_before(session: Session, public_id: UUID | None) -> Message | None:
    """Return the message that went out under this id already; the session's row is locked."""
    if public_id is None:
        return None
    return Message.objects.of_session(session).filter(public_id=public_id).first()


def _tell(
    session: Session,
    said: Said,
    author: Author,
    name: str,
    agent: Agent | None,
    *,
    public_id: UUID | None = None,
) -> Message:
    message = Message(
        session=session,
        public_id=public_id or uuid4(),
        author=author,
        author_name=name,
        agent=agent,
        **said.as_fields(),
    )
    message.event = emit(session, EventKind.MESSAGE, by=name if agent else "", message=message)
    message.save(force_insert=True)
    return message


# --- agents -------------------------------------------------------------------------------------


def join(session: Session, *, agent: Agent) -> Session:
    """Give a waiting session to this agent. Raises NotPossible where another was faster."""
    now = timezone.now()
    with transaction.atomic():
        session = locked(session.pk)
        if session.state == SessionState.ACTIVE and session.agent_id == agent.pk:
            return session
        if session.state != SessionState.WAITING:
            taken = session.state == SessionState.ACTIVE and session.agent
            raise NotPossible(f"{session.agent} has it already." if taken else "It has ended.")
        if agent.tenant_id != session.tenant_id:
            raise NotPossible(ELSEWHERE)
        by_name = session.offered_to_id == agent.pk
        if not by_name and session.work_type not in agent.work_types.all():
            raise NotPossible(f"You don't answer {session.work_type}.")
        # Locked, so that two clicks at once don't both find the last place free.
        Agent.objects.select_for_update(no_key=True).get(pk=agent.pk)
        in_hand = Session.objects.of_agent(agent).count()
        if in_hand >= agent.capacity:
            raise NotPossible(f"You have {in_hand} sessions, as many as you take at once.")
        session.state, session.agent, session.joined_at = SessionState.ACTIVE, agent, now
        session.offered_to, session.offered_until = None, None
        session.ends_at = session.ends_at or now + LIFE
        session.save(
            update_fields=["state", "agent", "joined_at", "offered_to", "offered_until", "ends_at"]
        )
        emit(session, EventKind.AGENT_JOINED, by=agent.alias, data={"agentAlias": agent.alias})
    return session


def transfer(
    session: Session,
    *,
    agent: Agent,
    to_agent: Agent | None = None,
    to_work_type: WorkType | None = None,
) -> Session:
    """Hand a session on, to another agent or to a work type's queue. Raises NotPossible.

    Another agent gets it as an offer; if it is not taken, it goes to the next one who has the
    skill.
    """
    now = timezone.now()
    with transaction.atomic():
        session = _in_hand(session, agent)
        if any(to.tenant_id != session.tenant_id for to in (to_agent, to_work_type) if to):
            raise NotPossible(ELSEWHERE)
        if to_agent is not None:
            if to_agent.pk == agent.pk:
                raise NotPossible("You have it already.")
            data = {"agentAlias": to_agent.alias}
        elif to_work_type is not None:
            if not to_work_type.is_active or not to_work_type.is_open(now):
                raise NotPossible(f"{to_work_type} is closed.")
            session.work_type = to_work_type
            data = {"worktypeId": to_work_type.code}
        else:
            raise ValueError("Neither an agent nor a work type.")
        emit(session, EventKind.SESSION_REROUTE, by=agent.alias, data=data)
        _let_wait(session, now, for_agent=to_agent, passed_by=agent)
    return session


def release(pk: int) -> bool:
    """Let others take the session of an agent who may not answer any more; False: they may."""
    with transaction.atomic():
        session = locked(pk)
        agent, work_type = session.agent, session.work_type
        if session.state != SessionState.ACTIVE or agent is None or work_type is None:
            return False
        if Agent.objects.able().filter(pk=agent.pk).exists():
            return False
        emit(session, EventKind.SESSION_REROUTE, data={"worktypeId": work_type.code})
        _let_wait(session, timezone.now(), passed_by=agent)
    return True


def end_by_agent(session: Session, *, agent: Agent) -> Session:
    """Raises NotPossible where the session is not this agent's."""
    with transaction.atomic():
        session = _in_hand(session, agent)
        end(session, EndedBy.AGENT, by=agent.alias)
    return session


def _in_hand(session: Session, agent: Agent) -> Session:
    session = locked(session.pk)
    _must_have(session, agent)
    return session


def _must_have(session: Session, agent: Agent) -> None:
    if session.state in CLOSED:
        raise NotPossible("The session has ended.")
    if session.state != SessionState.ACTIVE or session.agent_id != agent.pk:
        raise NotPossible("The session is not yours any more.")


# --- ended --------------------------------------------------------------------------------------


def end_by_contact(session: Session) -> bool:
    """End it as the contact, or the system that speaks for them, asks; False: it had ended."""
    with transaction.atomic():
        session = locked(session.pk)
        if session.state == SessionState.OPENING:
            _bring_up(session, timezone.now())  # first what came first
        if not session.is_open:
            return False
        end(session, EndedBy.CONTACT)
    return True


def end_at_limit(pk: int) -> bool:
    """End a session whose time is over; False where it had ended."""
    with transaction.atomic():
        session = locked(pk)
        now = timezone.now()
        if not session.is_open or session.ends_at is None or session.ends_at > now:
            return False
        if session.state == SessionState.OPENING and session.opening_id is None:
            _bring_up(session, now)  # first what came first
            if not session.is_open:
                return False
        end(session, EndedBy.LIMIT)
    return True


def end(
    session: Session, ended_by: EndedBy, *, by: str = "", data: Mapping[str, Any] | None = None
) -> None:
    """End a locked, open session. ``data``: what a far end said of it that ended it itself."""
    now = timezone.now()
    session.state, session.ended_by, session.ended_at = SessionState.ENDED, ended_by, now
    session.offered_to, session.offered_until = None, None
    session.save(update_fields=["state", "ended_by", "ended_at", "offered_to", "offered_until"])
    said = {"status": "SUCCESS"}
    if ended_by != EndedBy.CONTACT:
        said["from"] = "SYSTEM"  # Alvaria's only word for "not by the client"
    emit(session, EventKind.SESSION_END, by=by, data=data or said)
