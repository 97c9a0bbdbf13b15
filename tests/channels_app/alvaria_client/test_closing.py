"""Sessions that nobody uses any more end by themselves."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from channels_app.models import EventKind, Session
from channels_app.sessions import tending
from tests.support.far_alvaria import (
    SESSION,
    agent_says,
    alvaria_channel,
    dispatch,
    enqueue_to,
    event,
    hear,
    refusal,
)

pytestmark = pytest.mark.django_db(transaction=True)


def silent_for(minutes: float) -> None:
    Session.objects.update(closes_at=F("closes_at") - timedelta(minutes=minutes))


def test_a_session_that_nobody_uses_is_closed_after_its_time(channel, session, far_end):
    silent_for(59)
    tending.sweep()
    session.refresh_from_db()
    assert session.state == "quiet"
    silent_for(1.1)
    tending.sweep()
    dispatch()
    session.refresh_from_db()
    assert session.state == "ended"
    assert len(far_end.sent("DELETE", SESSION)) == 1


def test_what_is_said_there_puts_the_closing_off(channel, session):
    silent_for(59)
    said = event("MESSAGE", session.vendor_id, senderId="SYSTEM", message={"text": "One moment"})
    hear(channel, said)
    silent_for(2)
    tending.sweep()
    session.refresh_from_db()
    assert session.state == "quiet"


def test_a_session_may_be_closed_once_its_message_was_taken(tenant, far_end):
    channel = alvaria_channel(tenant, far_end.url, settings={"close_after": "0"})
    enqueue_to(channel, "Ana")
    dispatch(channel)
    tending.sweep()  # not while the message waits
    session = Session.objects.get()
    assert session.state == "quiet"
    hear(channel, event("NEW_SESSION", session.vendor_id, status="SUCCESS"))
    dispatch()
    silent_for(1.1)
    tending.sweep()
    dispatch()
    session.refresh_from_db()
    assert session.state == "ended"
    assert [one.method for one in far_end.requests if "token" not in one.path] == [
        "POST",
        "POST",
        "DELETE",
    ]


def test_a_session_that_waits_for_an_agent_is_not_closed_for_silence(channel, session):
    hear(channel, agent_says(session))
    silent_for(120)
    tending.sweep()
    session.refresh_from_db()
    assert session.state == "waiting"


def test_after_four_hours_it_ends_here_as_well(channel, session, far_end):
    hear(channel, agent_says(session))
    session.refresh_from_db()
    assert session.ends_at is not None
    life = session.ends_at - session.created_at
    assert timedelta(hours=4) <= life < timedelta(hours=4, minutes=1)
    Session.objects.update(ends_at=timezone.now())
    tending.sweep()
    dispatch()
    session.refresh_from_db()
    assert (session.state, session.ended_by) == ("ended", "limit")
    assert len(far_end.sent("DELETE", SESSION)) == 1


def test_a_session_whose_message_gave_up_does_not_stay_open(channel, far_end):
    far_end.answer("POST", SESSION, refusal(400, "No"))
    enqueue_to(channel, "Ana")
    dispatch(channel)
    assert Session.objects.get().state == "opening"
    tending.sweep()
    session = Session.objects.get()
    assert session.state == "failed"
    assert "Alvaria answered 400: No" in session.reason
    enqueue_to(channel, "Ana")  # and the next one opens another
    dispatch()
    assert Session.objects.filter(state="quiet").count() == 1


def test_the_sweep_of_other_sessions_leaves_those_alone_that_we_open(channel, far_end):
    far_end.answer("POST", SESSION, refusal(500, "Ouch"))
    enqueue_to(channel, "Ana")
    dispatch(channel)
    tending.sweep()
    tending.tend()
    session = Session.objects.get()
    assert session.state == "opening"
    assert not session.events.exclude(kind=EventKind.MESSAGE).exists()
