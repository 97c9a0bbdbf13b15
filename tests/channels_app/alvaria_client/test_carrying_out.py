"""Callbacks are carried out in order, each once, whatever comes between."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.db import OperationalError
from django.utils import timezone

from channels_app.log.words import Clock
from channels_app.models import InboundEvent, Message, Session
from channels_app.records.transcript import transcript
from channels_app.sessions import tending
from channels_app.vendors.alvaria import happenings, inbound
from channels_app.vendors.alvaria.inbound import carry_out_all
from project.access.audit import Actor
from tests.support.far_alvaria import (
    MESSAGE,
    agent_says,
    alvaria_channel,
    dispatch,
    enqueue_to,
    event,
    hear,
    heard,
    post,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("at_once", [1, 500])
def test_events_stay_in_order_when_their_session_gets_its_name_meanwhile(
    channel, session, monkeypatch, at_once
):
    monkeypatch.setattr(inbound, "AT_ONCE", at_once)
    name = session.vendor_id
    Session.objects.update(vendor_id="")  # the answer that names it is on its way
    for text in ("one", "two"):
        assert post(channel, agent_says(session, text)).status_code == 200
    looks: list[str] = []
    true_look, true_order = inbound._session, inbound._in_order

    def look(of, session_id):
        looks.append(session_id)
        return true_look(of, session_id)

    def in_order(*args):
        done = true_order(*args)
        Session.objects.update(vendor_id=name)  # another worker's settlement, just now
        return done

    monkeypatch.setattr(inbound, "_session", look)
    monkeypatch.setattr(inbound, "_in_order", in_order)
    carry_out_all()
    assert looks == [name], "the second may find what the first has not found"
    carry_out_all()
    assert heard(session) == [("Alvaria", "one"), ("Alvaria", "two")]


@pytest.mark.parametrize("error", [OperationalError("deadlock detected"), RuntimeError("oh")])
def test_an_event_that_came_long_ago_outlives_its_first_failure(
    channel, session, monkeypatch, error
):
    assert post(channel, agent_says(session, "Are you there?")).status_code == 200
    InboundEvent.objects.pending().update(received_at=timezone.now() - timedelta(minutes=6))
    true = happenings.happen
    failed: list[object] = []

    def happen(*args):
        if not failed:
            failed.append(args)
            raise error
        return true(*args)

    monkeypatch.setattr(inbound, "happen", happen)
    for _ in range(2):
        carry_out_all()
    assert heard(session) == [("Alvaria", "Are you there?")]


def test_an_event_that_breaks_off_for_minutes_is_given_up_and_lets_others_go_on(
    channel, session, monkeypatch
):
    for text in ("poison", "good"):
        assert post(channel, agent_says(session, text)).status_code == 200
    true = happenings.happen

    def happen(event, *args):
        if "poison" in str(event.body):
            raise RuntimeError("oh")
        return true(event, *args)

    monkeypatch.setattr(inbound, "happen", happen)
    carry_out_all()
    assert heard(session) == []
    with time_machine.travel(timezone.now() + timedelta(minutes=4)):
        carry_out_all()
    assert heard(session) == []
    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        carry_out_all()
    assert heard(session) == [("Alvaria", "good")]
    assert "RuntimeError" in InboundEvent.objects.get(state="unknown").reason


def test_the_case_of_a_name_changes_no_order(channel, session):
    upper, lower = session.vendor_id.upper(), session.vendor_id.lower()
    ends = {"status": "SUCCESS", "from": "SYSTEM"}
    hear(
        channel,
        event("AGENT_JOINED", upper, agentAlias="John"),
        event("MESSAGE", lower, senderId="AGENT", message={"text": "Bye"}),
        event("SESSION_END", upper, **ends),
    )
    assert heard(session) == [("John", "Bye")]
    session.refresh_from_db()
    assert session.state == "ended"
    assert not InboundEvent.objects.exclude(reason="").exists()


def test_carrying_out_an_event_twice_changes_nothing(channel, session):
    said = agent_says(session)
    hear(channel, said)
    before = (Message.objects.count(), Session.objects.values().get(), session.events.count())
    hear(channel, said, said)
    tending.sweep()
    after = (Message.objects.count(), Session.objects.values().get(), session.events.count())
    assert after == before


def test_events_that_come_before_the_answer_are_carried_out_after_it(channel, far_end, billing):
    enqueue_to(channel, "Ana")
    dispatch(channel)
    session = Session.objects.get()
    name = session.vendor_id
    Session.objects.update(vendor_id="", state="opening")  # as before the answer was settled
    hear(channel, event("NEW_SESSION", name, status="SUCCESS"))
    assert InboundEvent.objects.get().state == "pending"
    Session.objects.update(vendor_id=name, state="quiet")
    tending.sweep()
    assert InboundEvent.objects.get().state == "processed"
    dispatch()
    assert len(far_end.sent("POST", MESSAGE)) == 1


def test_events_of_a_session_that_nobody_knows_are_kept_and_named_after_some_minutes(channel):
    hear(channel, event("AGENT_JOINED", str(uuid4()), agentAlias="John"))
    stray = InboundEvent.objects.get()
    assert stray.state == "pending"
    InboundEvent.objects.update(received_at=timezone.now() - timedelta(minutes=6))
    tending.sweep()
    stray.refresh_from_db()
    assert (stray.state, stray.reason) == ("unknown", "No session has this ID.")


def test_another_channels_session_is_not_found(channel, session, tenant, far_end):
    other = alvaria_channel(tenant, far_end.url, name="Other")
    hear(other, agent_says(session))
    assert heard(session) == []
    assert InboundEvent.objects.get(channel=other).state == "pending"


def test_the_far_end_may_write_its_ids_in_another_case(channel, session):
    said = agent_says(session)
    said["sessionId"] = said["sessionId"].upper()
    hear(channel, said)
    assert len(heard(session)) == 1


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        ("BRAND_NEW", {}, "Its kind is not known."),
        ("NEW_SESSION", {}, "Its status is not known."),
        ("SESSION_END", {"status": "MAYBE"}, "Its status is not known."),
        ("MESSAGE_STATUS", {"status": "SUCCESS", "messageId": "x"}, "Its status is not known."),
        ("MESSAGE", {"message": "text"}, "Its message is no object."),
        ("MESSAGE", {"message": {}}, "It has neither a text nor an attachment."),
        ("MESSAGE", {"message": {"text": 7}}, "Its text is no string."),
        ("MESSAGE", {"message": {"attachment": "x"}}, "Its attachment is not in"),
        (
            "MESSAGE",
            {"message": {"attachment": {"type": "Sticker", "url": "https://a.example"}}},
            "Its attachment is not in",
        ),
        (
            "MESSAGE",
            {"message": {"attachment": {"type": ["Image"], "url": "https://a.example"}}},
            "Its attachment is not in",
        ),
    ],
)
def test_what_is_not_understood_is_kept_with_its_session(channel, session, kind, fields, reason):
    hear(channel, event(kind, session.vendor_id, **fields))
    kept = InboundEvent.objects.latest("pk")
    assert (kept.state, kept.session) == ("unknown", session)
    assert kept.reason.startswith(reason)
    hear(channel, agent_says(session))  # the next one goes on
    assert len(heard(session)) == 1


def test_a_transcript_tells_late_callbacks_where_they_came(channel, session, make_user):
    assert post(channel, agent_says(session, "from there")).status_code == 200
    came = timezone.now() - timedelta(seconds=60)
    InboundEvent.objects.pending().update(received_at=came)
    Message.objects.update(at=came + timedelta(seconds=30))  # said by us meanwhile
    carry_out_all()
    clock = Clock(timezone.now(), session.tenant.zone)
    by = Actor.user(make_user("Auditor"))
    told = json.loads(b"".join(transcript(session, "json", by=by, clock=clock)))
    said = [entry["text"] for entry in told["entries"] if entry["type"] == "message"]
    assert said[:2] == ["from there", "Hello Ana"]
    times = [entry["at"] for entry in told["entries"]]
    assert times == sorted(times)
