"""What callbacks do to our session, and what our agents do there in return."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.db import OperationalError
from django.db.models import F
from django.utils import timezone

from channels_app.log.words import Clock
from channels_app.models import Delivery, EventKind, InboundEvent, Message, Session, WorkType
from channels_app.records.transcript import transcript
from channels_app.sessions import services, tending
from channels_app.sessions.services import Said
from channels_app.vendors.alvaria import happenings, inbound
from channels_app.vendors.alvaria.inbound import carry_out_all
from notifications.models import Recipient
from project.access.audit import Actor
from tests.support.far_alvaria import (
    MESSAGE,
    SESSION,
    alvaria_channel,
    dispatch,
    enqueue_to,
    event,
    post,
    refusal,
)

pytestmark = pytest.mark.django_db(transaction=True)


def hear(channel, *events) -> None:
    for one in events:
        assert post(channel, one).status_code == 200
    carry_out_all()


def open_session(channel, contact: str = "Ana") -> Session:
    """A session at the far end in which a message was said."""
    enqueue_to(channel, contact)
    dispatch(channel)
    session = Session.objects.get(contact=contact)
    hear(channel, event("NEW_SESSION", session.vendor_id, status="SUCCESS"))
    dispatch()
    session.refresh_from_db()
    return session


def agent_says(session: Session, text: str = "Hello from Alvaria", **fields) -> dict:
    message = {"text": text} if text else {}
    return event("MESSAGE", session.vendor_id, senderId="AGENT", message={**message, **fields})


@pytest.fixture
def session(channel, billing) -> Session:
    return open_session(channel)


def heard(session: Session) -> list[tuple[str, str]]:
    from_there = Message.objects.of_session(session).from_contact()
    return list(from_there.values_list("author_name", "text"))


def test_an_agents_answer_there_waits_for_an_agent_here(channel, session, billing):
    joined = event("AGENT_JOINED", session.vendor_id, agentAlias="John")
    hear(channel, joined, agent_says(session))
    session.refresh_from_db()
    assert heard(session) == [("John", "Hello from Alvaria")]
    assert (session.state, session.work_type) == ("waiting", billing)
    assert list(Session.objects.waiting()) == [session]
    assert set(InboundEvent.objects.values_list("state", "session")) == {("processed", session.pk)}


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


@pytest.mark.parametrize(("name", "shown"), [("Ana Ruiz", "Ana Ruiz"), ("", "ana.ruiz")])
def test_an_agent_here_sees_a_name_instead_of_an_address(channel, billing, tenant, name, shown):
    ana = Recipient.objects.create(tenant=tenant, login="ana.ruiz", name=name)
    ana.addresses.create(kind=channel.kind, value="+34 600 123")
    session = open_session(channel, "+34 600 123")
    assert session.contact_name == "+34 600 123"
    hear(channel, agent_says(session))
    session.refresh_from_db()
    assert (session.state, session.contact_name) == ("waiting", shown)


def test_a_name_of_another_tenants_is_not_taken(channel, session, other_tenant):
    theirs = Recipient.objects.create(tenant=other_tenant, login="bo", name="Bo")
    theirs.addresses.create(kind=channel.kind, value="Ana")
    hear(channel, agent_says(session))
    session.refresh_from_db()
    assert session.contact_name == "Ana"


def test_what_agents_do_there_is_told_to_nobody(channel, session, far_end):
    before = len(far_end.requests)
    hear(
        channel,
        event("AGENT_JOINED", session.vendor_id, agentAlias="John"),
        event("SESSION_REROUTE", session.vendor_id, agentAlias="Ines"),
        event("SESSION_REROUTE", session.vendor_id, worktypeId="33"),
    )
    dispatch()
    assert len(far_end.requests) == before
    there = session.events.filter(kind__in=["AGENT_JOINED", "SESSION_REROUTE"]).order_by("pk")
    assert [(one.kind, one.data, one.delivery) for one in there] == [
        ("AGENT_JOINED", {"agentAlias": "John"}, None),
        ("SESSION_REROUTE", {"agentAlias": "Ines"}, None),
        ("SESSION_REROUTE", {"worktypeId": "33"}, None),
    ]


def test_messages_carry_the_name_of_who_has_the_session_then(channel, session):
    hear(channel, agent_says(session, "one"))
    hear(channel, event("AGENT_JOINED", session.vendor_id, agentAlias="John"))
    hear(channel, agent_says(session, "two"))
    hear(channel, event("SESSION_REROUTE", session.vendor_id, agentAlias="Ines"))
    hear(channel, agent_says(session, "three"))
    assert heard(session) == [("Alvaria", "one"), ("John", "two"), ("Ines", "three")]


def test_what_the_system_there_says_is_kept_and_calls_nobody(channel, session):
    said = event("MESSAGE", session.vendor_id, senderId="SYSTEM", message={"text": "One moment"})
    hear(channel, said)
    session.refresh_from_db()
    assert heard(session) == [("Alvaria", "One moment")]
    assert session.state == "quiet"


def test_replies_go_to_the_work_type_that_the_channel_names(tenant, far_end, billing):
    outages = WorkType.objects.create(tenant=tenant, code="33", name="Outages")
    channel = alvaria_channel(tenant, far_end.url, settings={"reply_work_type": "33"})
    session = open_session(channel)
    hear(channel, agent_says(session))
    session.refresh_from_db()
    assert session.work_type == outages


def test_without_a_work_type_for_replies_the_session_stays_quiet_and_says_why(channel):
    session = open_session(channel)
    hear(channel, agent_says(session))
    session.refresh_from_db()
    assert session.state == "quiet"
    assert heard(session) == [("Alvaria", "Hello from Alvaria")]
    assert "no work type for replies" in InboundEvent.objects.get(kind="MESSAGE").reason


def test_another_tenants_work_type_is_none_of_ours(channel, other_tenant):
    WorkType.objects.create(tenant=other_tenant, code="32", name="Theirs", is_default=True)
    session = open_session(channel)
    hear(channel, agent_says(session))
    session.refresh_from_db()
    assert session.state == "quiet"


def test_our_agent_joins_answers_and_ends(channel, session, mara, far_end):
    hear(channel, agent_says(session))
    services.join(session, agent=mara)
    services.say(session, Said(text="Mara here"), agent=mara)
    services.say(
        session,
        Said(attachment_type="File", attachment_url="https://files.example/a.pdf"),
        agent=mara,
    )
    services.end_by_agent(session, agent=mara)
    for _ in range(3):  # one after another
        dispatch()
    told = far_end.sent("POST", MESSAGE)[1:]
    assert [one.json() for one in told] == [
        {"text": "Mara here"},
        {"attachment": {"type": "File", "url": "https://files.example/a.pdf"}},
    ]
    (ended,) = far_end.sent("DELETE", SESSION)
    assert far_end.requests[-1] is ended
    names = {one.headers["server-messaging-session-id"] for one in [*told, ended]}
    assert names == {session.vendor_id}
    assert not Delivery.objects.exclude(state="sent").exists()


def test_an_answer_of_ours_that_fails_there_is_failed_here(channel, session, mara, books):
    hear(channel, agent_says(session))
    services.join(session, agent=mara)
    message = services.say(session, Said(text="Mara here"), agent=mara)
    dispatch()
    told = Delivery.objects.get(session_event__message=message)
    failed = {"status": "FAILED", "messageId": told.vendor_id, "statusMessage": "Too long"}
    hear(channel, event("MESSAGE_STATUS", session.vendor_id, **failed))
    message.refresh_from_db()
    told.refresh_from_db()
    assert (message.state, message.reason) == ("failed", "Too long")
    assert (told.state, told.reason) == ("failed", "Too long")
    assert books() == {"sent": 1, "failed": 1}


def test_an_answer_into_a_session_that_is_gone_fails_and_ends_it_here(
    channel, session, mara, far_end
):
    hear(channel, agent_says(session))
    services.join(session, agent=mara)
    services.say(session, Said(text="Mara here"), agent=mara)
    far_end.answer("POST", MESSAGE, refusal(404, "Session does not exist"))
    dispatch()
    session.refresh_from_db()
    assert (session.state, session.ended_by) == ("ended", "far_end")
    assert Delivery.objects.latest("pk").reason == "Session does not exist"
    dispatch()
    assert not far_end.sent("DELETE", SESSION)


def test_the_far_end_ends_the_session(channel, session, far_end, mara):
    hear(channel, agent_says(session))
    services.join(session, agent=mara)
    told = event("SESSION_END", session.vendor_id, status="SUCCESS", **{"from": "SYSTEM"})
    hear(channel, told)
    dispatch()
    session.refresh_from_db()
    assert (session.state, session.ended_by) == ("ended", "far_end")
    assert not far_end.sent("DELETE", SESSION)
    last = session.events.latest("pk")
    assert (last.kind, last.data) == ("SESSION_END", {"status": "SUCCESS", "from": "SYSTEM"})
    with pytest.raises(services.NotPossible):
        services.say(session, Said(text="Too late"), agent=mara)


def test_a_word_after_the_end_is_kept(channel, session):
    end = event("SESSION_END", session.vendor_id, status="SUCCESS")
    hear(channel, end, agent_says(session, "One more thing"))
    session.refresh_from_db()
    assert session.state == "ended"
    assert heard(session) == [("Alvaria", "One more thing")]
    assert "after the session's end" in InboundEvent.objects.get(kind="MESSAGE").reason


def test_a_session_that_is_closed_there_already_is_closed(channel, session, mara, far_end):
    hear(channel, agent_says(session))
    services.join(session, agent=mara)
    services.end_by_agent(session, agent=mara)
    far_end.answer("DELETE", SESSION, refusal(404, "Session does not exist"))
    dispatch()
    assert Delivery.objects.latest("pk").state == "sent"


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


def test_an_attachment_that_points_inside_is_kept_as_failed(channel, session, tenant):
    tenant.is_demo = False
    tenant.save()
    inside = {"type": "Image", "url": "http://169.254.169.254/latest"}
    hear(channel, agent_says(session, attachment=inside))
    message = Message.objects.of_session(session).from_contact().get()
    assert message.state == "failed"
    assert "private network" in message.reason


def test_a_long_text_and_an_attachment_arrive_whole(channel, session):
    url = "https://files.example/" + "a" * 2000
    hear(channel, agent_says(session, "x" * 200_000, attachment={"type": "Audio", "url": url}))
    message = Message.objects.of_session(session).from_contact().get()
    assert len(message.text) == 200_000
    assert (message.attachment_type, message.attachment_url) == ("Audio", url)


# --- time ---------------------------------------------------------------------------------------


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
