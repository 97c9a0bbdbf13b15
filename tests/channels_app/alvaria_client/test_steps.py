"""A message to a contact: a session is opened, the message is said there."""

import pytest
from django.utils import timezone

from channels_app import tasks, vendor_tokens
from channels_app.dispatch.claims import Lane, claim
from channels_app.dispatch.health import FAILURES
from channels_app.dispatch.results import of_response
from channels_app.dispatch.settle import hand_back, settle
from channels_app.http import Finished, fetch
from channels_app.models import Attempt, Delivery, Event, InboundEvent, Message, Session
from channels_app.vendors.alvaria.client import Alvaria
from channels_app.vendors.alvaria.inbound import carry_out_all
from tests.support.far_alvaria import (
    MESSAGE,
    SESSION,
    TOKEN_PATH,
    alvaria_channel,
    as_json,
    dispatch,
    enqueue_to,
    event,
    post,
    refusal,
)
from tests.support.receiver import Answer

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = Alvaria()


def come_up(channel, session: Session, **fields) -> None:
    """The far end says that the session is there."""
    told = event("NEW_SESSION", session.vendor_id, **{"status": "SUCCESS", **fields})
    assert post(channel, told).status_code == 200
    carry_out_all()


def test_a_message_opens_a_session_and_is_said_there_once_it_is_up(channel, far_end, books):
    (delivery,) = enqueue_to(channel, "Ana")
    dispatch(channel)
    session = Session.objects.get()
    delivery.refresh_from_db()
    assert (session.state, session.contact) == ("quiet", "Ana")
    assert (delivery.state, delivery.vendor_id) == ("queued", session.vendor_id)
    assert not far_end.sent("POST", MESSAGE)

    come_up(channel, session)
    dispatch()
    delivery.refresh_from_db()
    assert (delivery.state, books()) == ("sent", {"sent": 1})
    (opened,), (said,) = far_end.sent("POST", SESSION), far_end.sent("POST", MESSAGE)
    assert opened.json() == {"workTypeId": "32", "contactName": "Ana"}
    assert said.json() == {"text": "Hello Ana"}
    assert said.headers["server-messaging-session-id"] == session.vendor_id
    for request in (opened, said):
        assert request.headers["authorization"] == "Bearer token-1"
        assert request.headers["x-api-key"] == "k3y"
    assert list(Attempt.objects.values_list("number", "outcome", "status")) == [
        (1, "accepted", 202),
        (2, "accepted", 202),
    ]


def test_the_session_tells_what_was_said_in_it(channel, tenant):
    enqueue_to(channel, "Ana")
    dispatch(channel)
    message = Message.objects.get()
    assert (message.author, message.author_name, message.text) == (
        "system",
        tenant.name,
        "Hello Ana",
    )
    assert message.event is not None
    assert message.event.delivery == Delivery.objects.get()


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (
            {"type": "IMAGE", "url": "https://img.example/a.png", "text": "Look"},
            {"text": "Look", "attachment": {"type": "Image", "url": "https://img.example/a.png"}},
        ),
        (
            {"type": "IMAGE", "url": "https://img.example/a.png"},
            {"attachment": {"type": "Image", "url": "https://img.example/a.png"}},
        ),
        (
            {
                "type": "CARD",
                "title": "Your bill",
                "image": "https://img.example/b.png",
                "actions": [{"title": "Pay", "url": "https://pay.example/1"}],
            },
            {
                "text": "Your bill\nPay: https://pay.example/1",
                "attachment": {"type": "Image", "url": "https://img.example/b.png"},
            },
        ),
    ],
)
def test_pictures_and_cards_become_a_text_and_an_attachment(channel, far_end, payload, said):
    enqueue_to(channel, "Ana", payload=payload)
    dispatch(channel)
    come_up(channel, Session.objects.get())
    dispatch()
    assert far_end.sent("POST", MESSAGE)[0].json() == said


def test_the_next_message_goes_into_the_session_that_is_open(channel, far_end):
    enqueue_to(channel, "Ana")
    dispatch(channel)
    come_up(channel, Session.objects.get())
    dispatch()
    enqueue_to(channel, "Ana", payload={"type": "TEXT", "text": "And another"})
    dispatch()
    assert len(far_end.sent("POST", SESSION)) == 1
    assert [one.json()["text"] for one in far_end.sent("POST", MESSAGE)] == [
        "Hello Ana",
        "And another",
    ]
    assert Session.objects.get().messages.count() == 2


def test_two_messages_at_once_open_one_session(channel, far_end, books):
    _, second = enqueue_to(channel, "Ana", "Ana")
    dispatch(channel)
    assert len(far_end.sent("POST", SESSION)) == 1
    come_up(channel, Session.objects.get())
    dispatch()
    Delivery.objects.filter(pk=second.pk).update(due_at=second.due_at)  # its next try has come
    dispatch()
    assert books() == {"sent": 2}
    assert len(far_end.sent("POST", SESSION)) == 1
    assert len(far_end.sent("POST", MESSAGE)) == 2


def test_a_session_that_cannot_be_created_fails_its_message(channel, books):
    (delivery,) = enqueue_to(channel, "Ana")
    dispatch(channel)
    session = Session.objects.get()
    come_up(channel, session, status="FAILED", statusMessage="Work type does not exist")
    delivery.refresh_from_db()
    session.refresh_from_db()
    assert (delivery.state, delivery.reason) == ("failed", "Work type does not exist")
    assert (session.state, session.reason) == ("failed", "Work type does not exist")
    assert books() == {"failed": 1}


def test_a_message_that_failed_afterwards_is_failed_in_the_log(channel, far_end, books):
    (delivery,) = enqueue_to(channel, "Ana")
    dispatch(channel)
    session = Session.objects.get()
    come_up(channel, session)
    dispatch()
    delivery.refresh_from_db()
    told = {"status": "FAILED", "messageId": delivery.vendor_id, "statusMessage": "Too late"}
    post(channel, event("MESSAGE_STATUS", session.vendor_id, **told))
    carry_out_all()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.reason, books()) == ("failed", "Too late", {"failed": 1})
    message = Message.objects.get()
    assert (message.state, message.reason) == ("failed", "Too late")


def test_a_message_status_that_is_faster_than_its_answer_waits_for_it(channel, books):
    (delivery,) = enqueue_to(channel, "Ana")
    dispatch(channel)
    session = Session.objects.get()
    come_up(channel, session)
    early = "22D45513-66F7-4A02-9998-EF8E72AB2363"
    post(channel, event("MESSAGE_STATUS", session.vendor_id, status="FAILED", messageId=early))
    carry_out_all()
    waiting = InboundEvent.objects.get(kind="MESSAGE_STATUS")
    assert waiting.state == "pending"
    dispatch()
    Delivery.objects.filter(pk=delivery.pk).update(vendor_id=early)  # what the answer named
    carry_out_all()
    assert books() == {"failed": 1}


def test_a_session_that_has_ended_there_is_followed_by_a_fresh_one(channel, far_end, books):
    enqueue_to(channel, "Ana")
    dispatch(channel)
    come_up(channel, Session.objects.get())
    dispatch()
    (late,) = enqueue_to(channel, "Ana")
    far_end.answer("POST", MESSAGE, refusal(404, "Session does not exist"))
    dispatch()
    late.refresh_from_db()
    assert (late.state, late.reason) == ("queued", "Session does not exist")
    ended = Session.objects.get()
    assert (ended.state, ended.ended_by) == ("ended", "far_end")

    Delivery.objects.filter(pk=late.pk).update(due_at=late.created_at)  # its next try has come
    dispatch()
    come_up(channel, Session.objects.exclude(pk=ended.pk).get())
    dispatch()
    assert books() == {"sent": 2}
    assert len(far_end.sent("POST", SESSION)) == 2
    fresh = Session.objects.exclude(pk=ended.pk).get()
    assert list(fresh.messages.values_list("event__delivery", flat=True)) == [late.pk]


def test_a_session_that_ends_before_its_first_message_is_opened_anew(channel, far_end, books):
    (delivery,) = enqueue_to(channel, "Ana")
    dispatch(channel)
    session = Session.objects.get()
    post(channel, event("SESSION_END", session.vendor_id, status="SUCCESS", **{"from": "SYSTEM"}))
    carry_out_all()
    Delivery.objects.filter(pk=delivery.pk).update(due_at=delivery.created_at)
    dispatch()
    fresh = Session.objects.exclude(pk=session.pk).get()
    come_up(channel, fresh)
    dispatch()
    assert books() == {"sent": 1}
    assert fresh.opening_id == delivery.pk


def test_without_a_word_of_the_session_the_message_is_said_after_a_minute(channel, far_end, books):
    (delivery,) = enqueue_to(channel, "Ana")
    dispatch(channel)
    delivery.refresh_from_db()
    wait = (delivery.due_at - Attempt.objects.get().started_at).total_seconds()
    assert 60 <= wait < 75
    Delivery.objects.filter(pk=delivery.pk).update(due_at=delivery.created_at)
    dispatch()
    assert books() == {"sent": 1}


def test_an_opener_that_must_wait_lets_the_next_message_open_the_session(channel, far_end, books):
    far_end.answer("POST", SESSION, refusal(429, "Slow down", Retry_After="600"))
    (first,) = enqueue_to(channel, "Ana")
    dispatch(channel)
    enqueue_to(channel, "Ana")
    dispatch()
    come_up(channel, Session.objects.get())
    dispatch()
    assert books() == {"queued": 1, "sent": 1}
    Delivery.objects.filter(pk=first.pk).update(due_at=first.created_at)
    dispatch()
    assert books() == {"sent": 2}
    assert len(far_end.sent("POST", SESSION)) == 2  # the refused one, and the one that opened


@pytest.mark.parametrize(
    ("answer", "state", "reason"),
    [
        (refusal(400, "contactName: It is required."), "failed", "contactName: It is required."),
        (refusal(404, "There is no such organization."), "failed", "no such organization"),
        (refusal(405, "No"), "failed", "Alvaria answered 405: No"),
        (refusal(429, "Slow down"), "queued", "Alvaria answered 429: Slow down"),
        (refusal(500, "Ouch"), "queued", "Alvaria answered 500: Ouch"),
        (Answer(503, body=b"<html>"), "queued", "Alvaria answered 503"),
        (Answer(202, body=b""), "queued", "names no session"),
        (as_json(202, {"sessionId": ""}), "queued", "names no session"),
        (as_json(202, {"sessionId": "a\r\nb: c"}), "queued", "names no session"),
        (as_json(202, {"sessionId": ["x"]}), "queued", "names no session"),
        (as_json(403, {"message": "Forbidden"}), "queued", "Alvaria answered 403: Forbidden"),
    ],
)
def test_what_an_answer_means(channel, far_end, answer, state, reason):
    far_end.answer("POST", SESSION, answer)
    (delivery,) = enqueue_to(channel, "Ana")
    dispatch(channel)
    delivery.refresh_from_db()
    assert delivery.state == state
    assert reason in delivery.reason


def test_a_far_end_that_asks_for_patience_gets_it(channel, far_end):
    far_end.answer("POST", SESSION, refusal(429, "Slow down", Retry_After="120"))
    (delivery,) = enqueue_to(channel, "Ana")
    dispatch(channel)
    delivery.refresh_from_db()
    assert (delivery.due_at - Attempt.objects.get().started_at).total_seconds() >= 120


def test_a_message_that_says_nothing_is_refused_here(channel, far_end):
    (delivery,) = enqueue_to(channel, "Ana", payload={"type": "TEXT", "text": ""})
    dispatch(channel)
    come_up(channel, Session.objects.get())
    dispatch()
    delivery.refresh_from_db()
    assert delivery.state == "failed"
    assert not far_end.sent("POST", MESSAGE)


def test_the_name_and_the_organisation_are_put_where_they_belong(tenant, far_end):
    base = far_end.url.rstrip("/") + "/via/v2/organizations/{orgId}/serverMessaging/"
    channel = alvaria_channel(tenant, far_end.url, settings={"api_url": base, "integration": "SMS"})
    enqueue_to(channel, "Ana Müller")
    dispatch(channel)
    (opened,) = far_end.sent("POST", SESSION)
    assert opened.json() == {
        "workTypeId": "32",
        "contactName": "Ana Müller",
        "integration": "SMS",
    }


def test_many_contacts_at_once_each_get_a_session_of_their_own(channel, far_end, books):
    contacts = [f"Person {number}" for number in range(200)]
    enqueue_to(channel, *contacts)
    dispatch(channel)
    for session in Session.objects.all():
        post(channel, event("NEW_SESSION", session.vendor_id, status="SUCCESS"))
    carry_out_all()
    dispatch()
    assert books() == {"sent": 200}
    assert {one.json()["contactName"] for one in far_end.sent("POST", SESSION)} == set(contacts)
    assert len(far_end.sent("POST", TOKEN_PATH)) == 1
    assert Event.objects.filter(kind="MESSAGE").count() == 200


def test_a_worker_that_is_lost_with_the_answer_leaves_nothing_stuck(channel, far_end, books):
    """It has asked for the session, and nobody has written down what was answered."""
    (delivery,) = enqueue_to(channel, "Ana")
    vendor_tokens.fetch_token(channel.pk)
    lane, now = Lane.of(channel.pk), timezone.now()
    assert lane.has_token(now)
    taken = claim(lane, 1, now=now, holder="lost")
    STEPS.prepare(taken, now)
    request = STEPS.request(taken[0], lane.credentials, now)
    assert fetch(request, lane.policy).status == 202
    Delivery.objects.filter(pk=delivery.pk).update(lease_until=now)
    tasks.sweep()

    Delivery.objects.filter(pk=delivery.pk).update(due_at=now)  # its next try has come
    dispatch()
    session = Session.objects.get()
    assert session.vendor_id
    come_up(channel, session)
    dispatch()
    assert books() == {"sent": 1}
    assert Message.objects.count() == 1
    outcomes = Attempt.objects.order_by("number").values_list("outcome", flat=True)
    assert list(outcomes) == ["unknown", "accepted", "accepted"]


def test_a_worker_that_is_lost_before_its_request_is_as_if_it_had_not_been(channel, books):
    (delivery,) = enqueue_to(channel, "Ana")
    vendor_tokens.fetch_token(channel.pk)
    lane, now = Lane.of(channel.pk), timezone.now()
    taken = claim(lane, 1, now=now, holder="stopped")
    STEPS.prepare(taken, now)
    hand_back(taken, holder="stopped")
    dispatch()
    come_up(channel, Session.objects.get())
    dispatch()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempt_count, books()) == ("sent", 2, {"sent": 1})
    assert Message.objects.count() == 1


def test_answers_that_come_too_late_name_no_session(channel, far_end):
    """The row was given back meanwhile, and is another worker's."""
    (delivery,) = enqueue_to(channel, "Ana")
    vendor_tokens.fetch_token(channel.pk)
    far_end.answer("POST", SESSION, as_json(202, {"sessionId": "the-first"}))
    lane, now = Lane.of(channel.pk), timezone.now()
    late = claim(lane, 1, now=now, holder="late")
    STEPS.prepare(late, now)
    request = STEPS.request(late[0], lane.credentials, now)
    answer = Finished(1, now, 0.1, fetch(request, lane.policy), None)
    Delivery.objects.filter(pk=delivery.pk).update(lease_until=now)
    tasks.sweep()
    Delivery.objects.filter(pk=delivery.pk).update(due_at=now)
    dispatch()
    named = Session.objects.get().vendor_id
    assert settle([of_response(late[0], STEPS, answer)], now=timezone.now()) == 0
    assert Session.objects.get().vendor_id == named != "the-first"


def test_sessions_that_have_ended_there_pause_no_channel(channel, far_end, billing):
    people = [f"P{number}" for number in range(FAILURES + 5)]
    enqueue_to(channel, *people)
    dispatch(channel)
    for session in Session.objects.all():
        post(channel, event("NEW_SESSION", session.vendor_id, status="SUCCESS"))
    carry_out_all()
    dispatch()
    enqueue_to(channel, *people)
    far_end.answer("POST", MESSAGE, *[refusal(404, "Session does not exist") for _ in people])
    dispatch()
    channel.refresh_from_db()
    assert not channel.is_paused
    gone = Attempt.objects.filter(outcome="unavailable", error="Session does not exist")
    assert gone.count() == len(people)
    assert Session.objects.filter(state="ended").count() == len(people)
