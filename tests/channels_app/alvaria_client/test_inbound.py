"""What callbacks do to our session, and what our agents do there in return."""

import pytest

from channels_app.models import Delivery, InboundEvent, Message, Session, WorkType
from channels_app.sessions import services
from channels_app.sessions.services import Said
from notifications.models import Recipient
from tests.support.far_alvaria import (
    MESSAGE,
    SESSION,
    agent_says,
    alvaria_channel,
    dispatch,
    event,
    hear,
    heard,
    open_session,
    refusal,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_agents_answer_there_waits_for_an_agent_here(channel, session, billing):
    joined = event("AGENT_JOINED", session.vendor_id, agentAlias="John")
    hear(channel, joined, agent_says(session))
    session.refresh_from_db()
    assert heard(session) == [("John", "Hello from Alvaria")]
    assert (session.state, session.work_type) == ("waiting", billing)
    assert list(Session.objects.waiting()) == [session]
    assert set(InboundEvent.objects.values_list("state", "session")) == {("processed", session.pk)}


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
