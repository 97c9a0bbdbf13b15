"""What each of Alvaria's callbacks does to a session that we opened there."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias

from channels_app.dispatch import afterwards
from channels_app.models import (
    AttachmentType,
    Delivery,
    EndedBy,
    EventKind,
    InboundEvent,
    Message,
    MessageState,
    Session,
    SessionState,
    State,
    WorkType,
)
from channels_app.payload import URL_MAX
from channels_app.sessions import outward
from channels_app.sessions.attachments import attachment_problem
from channels_app.sessions.events import emit
from channels_app.sessions.services import Said, end
from channels_app.tasks import wake
from channels_app.vendors.alvaria.steps import silence_of

ALIAS = "agentAlias"
SYSTEM = "SYSTEM"  # senderId of what no agent there wrote
FAR_SYSTEM = "Alvaria"  # the author of that, to our agents


class NotUnderstood(Exception):
    """The event is kept, and shown with these words."""


class NotYet(Exception):
    """What it is about is not known here yet; else as `NotUnderstood`."""


def happen(event: InboundEvent, session: Session | None, now: datetime) -> str:
    """Do what the event says to its locked session. Returns a remark for its page.

    Raises NotUnderstood and NotYet, before anything has changed.
    """
    body = event.body if isinstance(event.body, dict) else {}
    deed = _DEEDS.get(event.kind)
    if deed is None:
        raise NotUnderstood("Its kind is not known.")
    if not isinstance(body.get("sessionId"), str):
        raise NotUnderstood("It names no session.")
    if session is None:
        raise NotYet("No session has this ID.")
    return deed(event, body, session, now) or ""


# --- the session itself -------------------------------------------------------------------------


def _new_session(event: InboundEvent, body: "_Body", session: Session, now: datetime) -> str | None:
    status, words = _status(body), _text(body, "statusMessage")
    if session.state not in {SessionState.QUIET, SessionState.OPENING}:
        return "The session had gone on already."
    opener = session.opening_id or 0
    if status == "FAILED":
        reason = words or "The session could not be created."
        data = {"status": status, "statusMessage": reason}
        outward.never_came_up(session, reason, now=now)
        emit(session, EventKind.NEW_SESSION, data=data)
        afterwards.fail(opener, was=State.QUEUED, reason=reason, now=now)
        return None
    emit(session, EventKind.NEW_SESSION, data={"status": status})
    waits = Delivery.objects.filter(pk=opener, state=State.QUEUED, due_at__gt=now)
    if waits.filter(vendor_id=session.vendor_id).update(due_at=now):
        wake()
    return None


def _session_end(event: InboundEvent, body: "_Body", session: Session, now: datetime) -> str | None:
    status = _status(body)
    if status == "FAILED":
        return "The far end could not end the session."
    data = {"status": status, **_given(body, "from")}
    if not session.is_open:
        return "It had ended here already."
    end(session, EndedBy.FAR_END, data=data)
    return None


def _agent_joined(
    event: InboundEvent, body: "_Body", session: Session, now: datetime
) -> str | None:
    alias = _text(body, ALIAS)
    _keep_alias(session, alias)
    emit(session, EventKind.AGENT_JOINED, by=alias, data={ALIAS: alias})
    return None


def _reroute(event: InboundEvent, body: "_Body", session: Session, now: datetime) -> str | None:
    alias = _text(body, ALIAS)
    _keep_alias(session, alias)
    data = _given(body, ALIAS) | _given(body, "worktypeId")
    emit(session, EventKind.SESSION_REROUTE, by=alias, data=data)
    return None


# --- messages -----------------------------------------------------------------------------------


def _message(event: InboundEvent, body: "_Body", session: Session, now: datetime) -> str | None:
    said = _said(body)
    by_system = str(body.get("senderId", "")).upper() == SYSTEM
    name = FAR_SYSTEM if by_system else str(session.attributes.get(ALIAS, "")) or FAR_SYSTEM
    problem = (
        attachment_problem(said.attachment_url, session.channel) if said.attachment_url else ""
    )
    outward.hear(
        session,
        said,
        name=name,
        at=event.received_at,
        vendor_id=event.event_id,
        problem=problem,
    )
    if not session.is_open:
        return "It came after the session's end."
    if session.state != SessionState.QUIET:
        return None
    session.closes_at = now + silence_of(session.channel)
    session.save(update_fields=["closes_at"])
    if by_system:  # an answer to it would be read by nobody
        return None
    work_type = _reply_work_type(session)
    if work_type is None:
        return "Nobody is asked to answer: there is no work type for replies."
    outward.ask_for_an_agent(session, work_type, now=now)
    return None


def _message_status(
    event: InboundEvent, body: "_Body", session: Session, now: datetime
) -> str | None:
    if _status(body) != "FAILED":
        raise NotUnderstood("Its status is not known.")
    message_id, words = _text(body, "messageId"), _text(body, "statusMessage")
    names = {message_id, message_id.lower(), message_id.upper()}
    told = Delivery.objects.filter(session_event__message__session=session)
    delivery = told.filter(vendor_id__in=names).first() if message_id else None
    if delivery is None:
        raise NotYet("No message of the session has this ID.")
    reason = words or "The message could not be processed."
    afterwards.fail(delivery.pk, was=State.SENT, reason=reason, now=now)
    Message.objects.filter(event__delivery=delivery).update(
        state=MessageState.FAILED, reason=reason[:200]
    )
    data = {"status": "FAILED", "messageId": message_id, "statusMessage": reason}
    emit(session, EventKind.MESSAGE_STATUS, data=data)
    return None


def _reply_work_type(session: Session) -> WorkType | None:
    here = WorkType.objects.of(session.tenant).active().select_related("tenant")
    code = session.channel.setting("reply_work_type")
    named = here.filter(code=code).first() if code else None
    return named or here.filter(is_default=True).first()


def _said(body: "_Body") -> Said:
    message = body.get("message")
    if not isinstance(message, dict):
        raise NotUnderstood("Its message is no object.")
    text, attachment = message.get("text") or "", message.get("attachment")
    if not isinstance(text, str):
        raise NotUnderstood("Its text is no string.")
    if attachment is None:
        if not text:
            raise NotUnderstood("It has neither a text nor an attachment.")
        return Said(text=text)
    kind = attachment.get("type") if isinstance(attachment, dict) else None
    url = attachment.get("url") if isinstance(attachment, dict) else None
    if kind not in AttachmentType.values or not isinstance(url, str) or not 0 < len(url) <= URL_MAX:
        raise NotUnderstood("Its attachment is not in the document's form.")
    return Said(text=text, attachment_type=str(kind), attachment_url=url)


# --- small things -------------------------------------------------------------------------------

_Body: TypeAlias = dict[str, Any]
_Deed: TypeAlias = Callable[[InboundEvent, _Body, Session, datetime], str | None]
_DEEDS: dict[str, _Deed] = {
    EventKind.NEW_SESSION: _new_session,
    EventKind.AGENT_JOINED: _agent_joined,
    EventKind.MESSAGE: _message,
    EventKind.MESSAGE_STATUS: _message_status,
    EventKind.SESSION_REROUTE: _reroute,
    EventKind.SESSION_END: _session_end,
}


def _status(body: _Body) -> str:
    status = body.get("status")
    if status not in {"SUCCESS", "FAILED"}:
        raise NotUnderstood("Its status is not known.")
    return str(status)


def _text(body: _Body, name: str) -> str:
    value = body.get(name)
    return value.strip()[:150] if isinstance(value, str) else ""


def _given(body: _Body, name: str) -> dict[str, str]:
    """Return the field as an event keeps it; nothing where there is none."""
    value = body.get(name)
    if type(value) is int:  # the document's worktypeId is a string, its sample a number
        value = str(value)
    return {name: value[:150]} if isinstance(value, str) and value else {}


def _keep_alias(session: Session, alias: str) -> None:
    """Remember who speaks there now; nobody, where it waits for somebody."""
    session.attributes = {**session.attributes, ALIAS: alias}
    session.save(update_fields=["attributes"])
