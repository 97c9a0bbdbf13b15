"""Sessions on an Alvaria that nobody uses any more, and those that never came up there."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from channels_app.models import Delivery, EndedBy, Session, SessionState
from channels_app.models.channel import Kind
from channels_app.models.delivery import CLOSED, OPEN
from channels_app.sessions.in_turn import in_turn
from channels_app.sessions.locking import locked
from channels_app.sessions.outward import never_came_up
from channels_app.sessions.services import end
from channels_app.sessions.tending import swept

AGAIN = timedelta(minutes=1)  # after which one that is still in use is looked at again


@swept
def close_what_is_silent() -> None:
    """Close what nobody has said a word in for as long as its channel allows."""
    silent = Session.objects.silent(timezone.now()).filter(channel__kind=Kind.ALVARIA)
    in_turn(silent.order_by("closes_at"), _close)


@swept
def give_up_what_never_came_up() -> None:
    """Let go of sessions whose delivery has ended before it could open them."""
    theirs = Session.objects.open().filter(channel__kind=Kind.ALVARIA)
    opening = theirs.filter(state=SessionState.OPENING)
    in_turn(opening.filter(opening__state__in=CLOSED).order_by("pk"), _give_up)


def _close(pk: int) -> None:
    now = timezone.now()
    with transaction.atomic():
        session = locked(pk)
        if session.state != SessionState.QUIET or not session.closes_at or session.closes_at > now:
            return
        if _is_in_use(session):
            session.closes_at = now + AGAIN
            session.save(update_fields=["closes_at"])
        else:
            end(session, EndedBy.LIMIT)


def _is_in_use(session: Session) -> bool:
    """Whether a message is still on its way into it."""
    under_way = Delivery.objects.filter(state__in=OPEN)
    said_there = under_way.filter(session_event__message__session=session)
    return said_there.exists() or under_way.filter(pk=session.opening_id or 0).exists()


def _give_up(pk: int) -> None:
    with transaction.atomic():
        session = locked(pk)
        opener = Delivery.objects.filter(pk=session.opening_id or 0).first()
        if session.state == SessionState.OPENING and opener and not opener.is_open:
            reason = opener.reason or "The message was taken back before it came up."
            never_came_up(session, reason, now=timezone.now())
