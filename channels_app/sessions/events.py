"""Writing down what happened to a session, and telling its far end of it."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from channels_app.models import Delivery, Event, EventKind, Message, Priority, Session
from channels_app.models.session import ORIGIN
from channels_app.services import enqueue, open_books
from channels_app.sessions.faces import face_of
from channels_app.sessions.waking import wake_for_sessions


def emit(
    session: Session,
    kind: EventKind,
    *,
    by: str = "",
    data: Mapping[str, Any] | None = None,
    message: Message | None = None,
) -> Event:
    """Store an event, and the delivery that tells the far end, where it is to be told.

    Call it in the transaction that does the deed, with the session's row locked: so the ids of a
    session's deliveries rise in the order of its events, and they go out in that order.
    """
    event = Event(session=session, kind=kind, by=by, data=dict(data or {}))
    payload = face_of(session).payload(event, message)
    if payload is not None:
        event.delivery = _queue(session, dict(payload))
    event.save(force_insert=True)
    return event


def _queue(session: Session, payload: dict[str, Any]) -> Delivery:
    now = timezone.now()
    delivery = Delivery(
        tenant_id=session.tenant_id,
        channel=session.channel,
        origin_kind=ORIGIN,
        origin_id=session.pk,
        recipient=face_of(session).recipient(session),
        address=session.contact,
        payload=payload,
        priority=Priority.URGENT,  # somebody waits for it
        ordering_key=session.public_id.hex,
        due_at=now,
        deadline=now + session.channel.lifetime,
        created_at=now,
    )
    open_books(session.tenant, ORIGIN, session.pk)
    enqueue([delivery], kind=ORIGIN, pk=session.pk)
    wake_for_sessions()
    return delivery
