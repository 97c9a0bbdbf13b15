"""What a delivery over an Alvaria channel does next, and in which session.

A message to a contact takes two requests: one opens a session, the next one says it there. While
the session lasts, further messages to the contact take the second alone. A session's own
deliveries, such as what an agent of ours says, carry the far session's name themselves.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from django.db import transaction
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone

from channels_app.connectors.base import Onward, Rejected, Unavailable, Verdict
from channels_app.models import (
    Author,
    Channel,
    Delivery,
    EndedBy,
    Event,
    EventKind,
    Message,
    Session,
    SessionState,
    State,
)
from channels_app.models.delivery import OPEN
from channels_app.models.session import CLOSED
from channels_app.payload import URL_MAX, Stored, plain_text
from channels_app.sessions.faces import LIFE
from channels_app.sessions.locking import locked
from channels_app.sessions.services import Said, end
from channels_app.vendors.alvaria.client_face import DEED
from channels_app.vendors.alvaria.face import said
from channels_app.vendors.alvaria.waking import wake_for_callbacks

CLOSE_AFTER = 60  # minutes of silence, where the channel says nothing else
ENDS_SOON = timedelta(minutes=1)  # then a session takes no new message: it may come too late


@dataclass(frozen=True, slots=True)
class Open:
    """Open a session for the delivery's contact."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Say a message in a session: ``message`` as the document has it."""

    session_id: str
    message: Mapping[str, Any]
    of_session: bool = False  # it is an agent's, and makes no sense in any other session


@dataclass(frozen=True, slots=True)
class End:
    """End a session."""

    session_id: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait: another delivery opens the contact's session, or it is about to end."""


Step: TypeAlias = Open | Tell | End | Hold


class SessionGone(Unavailable):
    """The session has ended at the far end; the message goes into a new one."""

    answered = True


class NoSession(Rejected):
    """The session has ended at the far end, and with it what was to be said there."""


def silence_of(channel: Channel) -> timedelta:
    """After how long without a word a session that nobody here has is closed."""
    return timedelta(minutes=int(channel.setting("close_after", CLOSE_AFTER)))


def prepare(deliveries: Sequence[Delivery], now: datetime) -> None:
    """Set each delivery's ``prepared`` to its `Step`; makes the sessions that are to be opened."""
    to_contacts = []
    for delivery in deliveries:
        delivery.prepared = _of_session(delivery.payload)
        if delivery.prepared is None:
            to_contacts.append(delivery)
    if to_contacts:
        with transaction.atomic():
            _find_sessions(to_contacts[0].channel, to_contacts, now)


def settling(tries: Sequence[tuple[Delivery, Verdict]]) -> None:
    """Lock the sessions that `settled` names or ends, in the order in which all lock several."""
    which = Q(opening__in=[one.pk for one in _opened(tries)])
    for one, session_id in _gone(tries):
        which |= Q(channel=one.channel_id, vendor_id=session_id)
    rows = Session.objects.open().filter(which).select_for_update(of=("self",)).order_by("pk")
    list(rows.values_list("pk", flat=True))


def settled(tries: Sequence[tuple[Delivery, Verdict]]) -> None:
    """Give opened sessions their names, and end those that the far end does not know any more."""
    now = timezone.now()
    opened: dict[Channel, list[int]] = defaultdict(list)
    for one in _opened(tries):
        opened[one.channel].append(one.pk)
    for channel, openers in opened.items():
        _name(channel, openers, now)
    for one, session_id in _gone(tries):
        open_there = Session.objects.open().filter(channel=one.channel_id, vendor_id=session_id)
        for pk in list(open_there.values_list("pk", flat=True)):
            session = locked(pk)
            if session.is_open:
                end(session, EndedBy.FAR_END)


def _opened(tries: Sequence[tuple[Delivery, Verdict]]) -> list[Delivery]:
    return [one for one, verdict in tries if isinstance(verdict, Onward)]


def _gone(tries: Sequence[tuple[Delivery, Verdict]]) -> Iterator[tuple[Delivery, str]]:
    """Yield what was told to sessions that have ended at the far end, and their names there."""
    for one, verdict in tries:
        if isinstance(verdict, SessionGone | NoSession) and isinstance(one.prepared, Tell | End):
            yield one, one.prepared.session_id


def content(payload: Stored) -> Said:
    """Read a notification's message as one of the document's: a text, an attachment, or both."""
    image = payload.get("url") or payload.get("image") or ""
    if len(image) > URL_MAX:
        return Said(text=plain_text(payload))
    text = plain_text({**payload, "url": "", "image": ""})
    return Said(text=text, attachment_type="Image" if image else "", attachment_url=image)


def _of_session(payload: Stored) -> Step | None:
    """Read what a session's own delivery is to do there; None: it is a message to a contact."""
    deed = payload.get(DEED)
    if not isinstance(deed, dict):
        return None
    if deed["deed"] == "end":
        return End(deed["sessionId"])
    return Tell(deed["sessionId"], deed["message"], of_session=True)


def _find_sessions(channel: Channel, deliveries: Sequence[Delivery], now: datetime) -> None:
    # Whose session has ended opens another one.
    ended = Session.objects.filter(opening__in=deliveries, state__in=CLOSED)
    if ended.exists():
        ended.update(opening=None)
    sessions = _open_sessions(channel, {one.address for one in deliveries})
    new: dict[str, Session] = {}
    for one in deliveries:
        if one.address not in sessions and one.address not in new:
            new[one.address] = _new(channel, one, now)
    if new:
        # Another worker may be faster: then there is none of ours, and theirs is found. In one
        # order, so that two who make the same ones wait for each other one way only.
        ordered = [new[contact] for contact in sorted(new)]
        Session.objects.bulk_create(ordered, ignore_conflicts=True)
        sessions |= _open_sessions(channel, new)
    openers = _openers(sessions, now)
    for one in deliveries:
        session = sessions.get(one.address)
        one.prepared = _step(one, session, openers, now) if session else Hold()
    _note(deliveries, sessions, now)


def _open_sessions(channel: Channel, contacts: Any) -> dict[str, Session]:
    """Lock and return the open sessions of these contacts."""
    found = Session.objects.open().filter(channel=channel, contact__in=list(contacts))
    return {one.contact: one for one in found.select_for_update().order_by("pk")}


def _new(channel: Channel, delivery: Delivery, now: datetime) -> Session:
    return Session(
        tenant_id=delivery.tenant_id,
        channel=channel,
        asked_work_type=str(channel.setting("work_type_id"))[:40],
        contact=delivery.address,
        contact_name=delivery.recipient or delivery.address,
        integration=str(channel.setting("integration"))[:100],
        opening=delivery,
        created_at=now,
    )


def _openers(sessions: Mapping[str, Session], now: datetime) -> dict[int, str]:
    """Return which deliveries that open these sessions are still under way, with their states."""
    asked = [one.opening_id for one in sessions.values() if one.opening_id]
    found = Delivery.objects.filter(pk__in=asked, state__in=OPEN)
    return dict(found.values_list("pk", "state"))


def _step(delivery: Delivery, session: Session, openers: dict[int, str], now: datetime) -> Step:
    if session.opening_id != delivery.pk:
        state = openers.get(session.opening_id or 0)
        if state is not None and (session.vendor_id or state == State.SENDING):
            return Hold()  # it has not come up yet
        if not session.vendor_id:  # its opener waits for its next try, or has given up
            session.opening = delivery
            session.save(update_fields=["opening"])
    if not session.vendor_id:
        return Open()
    if session.ends_at and session.ends_at - now < ENDS_SOON:
        return Hold()
    return Tell(session.vendor_id, said(content(delivery.payload)))


def _note(deliveries: Sequence[Delivery], sessions: Mapping[str, Session], now: datetime) -> None:
    """Write the messages down in the sessions that they are said in."""
    noted = Event.objects.filter(delivery__in=deliveries)
    known = dict(noted.values_list("delivery", "session"))
    events: list[Event] = []
    said_there: list[Message] = []
    told: list[int] = []
    for one in deliveries:
        what = content(one.payload)
        if isinstance(one.prepared, Hold) or not (what.text or what.attachment_url):
            continue
        session = sessions[one.address]
        if isinstance(one.prepared, Tell):
            told.append(session.pk)
        if one.pk not in known:
            event = Event(session=session, kind=EventKind.MESSAGE, delivery=one, at=now)
            events.append(event)
            said_there.append(
                Message(
                    session=session,
                    author=Author.SYSTEM,
                    author_name=one.channel.tenant.name,
                    event=event,
                    at=now,
                    **what.as_fields(),
                )
            )
        elif known[one.pk] != session.pk:  # it goes into a new session
            Message.objects.filter(event__delivery=one).update(session=session)
    Event.objects.bulk_create(events)
    for message in said_there:
        message.event = message.event  # takes the key that the event has got
    Message.objects.bulk_create(said_there)
    if told:
        until = now + silence_of(deliveries[0].channel)
        Session.objects.filter(pk__in=told, state=SessionState.QUIET).update(closes_at=until)


def _name(channel: Channel, opened: Sequence[int], now: datetime) -> None:
    """Give sessions the names that the far end gave them, as their deliveries' rows have them."""
    named = Session.objects.filter(opening__in=opened, state=SessionState.OPENING).exclude(
        opening__vendor_id=""  # it came too late, and another worker has the row
    )
    pks = list(named.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))
    names = Delivery.objects.filter(pk=OuterRef("opening_id")).values("vendor_id")
    Session.objects.filter(pk__in=pks).update(
        state=SessionState.QUIET,
        vendor_id=Subquery(names[:1]),
        ends_at=now + LIFE,
        closes_at=now + silence_of(channel),
    )
    wake_for_callbacks()  # they may have come before their session had its name
