"""What the engine does with deliveries, seen at the receiver and in the log."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from channels_app.models import Attempt, ChatMessage, Delivery, Outcome, State
from channels_app.models.channel import Kind
from tests.support.receiver import Answer, Receiver

pytestmark = pytest.mark.django_db(transaction=True)


def test_every_delivery_reaches_the_receiver_once_and_has_one_attempt(
    make_channel, make_deliveries, drain, books
):
    with Receiver() as receiver:
        rows = make_deliveries(make_channel(receiver.url), 300)
        drain()
        ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert sorted(ids) == sorted(row.public_id for row in rows)
    assert books() == {"sent": 300}
    assert set(Attempt.objects.values_list("number", "outcome", "status")) == {
        (1, Outcome.ACCEPTED, 200)
    }
    assert Attempt.objects.count() == 300


def test_two_failures_then_success_are_three_attempts_at_the_planned_times(
    make_channel, make_deliveries, drain, books
):
    with Receiver(Answer(500), Answer(503)) as receiver:
        (row,) = make_deliveries(make_channel(receiver.url))
        drain()
        for planned in (5, 15):
            row.refresh_from_db()
            assert row.state == State.QUEUED
            attempt = row.attempts.get(number=row.attempt_count)
            assert attempt.next_at == row.due_at
            wait = (row.due_at - attempt.started_at).total_seconds() - attempt.duration
            assert planned * 0.9 <= round(wait, 3) <= planned
            with time_machine.travel(row.due_at - timedelta(seconds=1)):
                drain()
            assert row.attempts.count() == row.attempt_count, "it was tried before it was due"
            with time_machine.travel(row.due_at):
                drain()
    row.refresh_from_db()
    assert row.state == State.SENT
    attempts = list(row.attempts.order_by("number"))
    assert [(a.number, a.outcome, a.status) for a in attempts] == [
        (1, "unavailable", 500),
        (2, "unavailable", 503),
        (3, "accepted", 200),
    ]
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert len(receiver.requests) == 3
    assert books() == {"sent": 1}


def test_a_gone_receiver_fails_the_delivery_at_once(make_channel, make_deliveries, drain, books):
    with Receiver(Answer(410)) as receiver:
        (row,) = make_deliveries(make_channel(receiver.url))
        drain()
    row.refresh_from_db()
    assert (row.state, row.attempts.get().outcome) == (State.FAILED, Outcome.REJECTED)
    assert row.reason
    assert books() == {"failed": 1}


def test_what_a_busy_receiver_asks_for_is_waited(make_channel, make_deliveries, drain):
    with Receiver(Answer(429, headers={"Retry-After": "120"})) as receiver:
        (row,) = make_deliveries(make_channel(receiver.url))
        drain()
    row.refresh_from_db()
    assert 118 <= (row.due_at - timezone.now()).total_seconds() <= 120
    assert row.attempts.get().next_at == row.due_at


def test_tries_end_at_the_deadline_and_the_delivery_expires(
    make_channel, make_deliveries, drain, books
):
    with Receiver(lambda request: Answer(500)) as receiver:
        (row,) = make_deliveries(make_channel(receiver.url), lifetime=timedelta(seconds=30))
        for _ in range(10):
            with time_machine.travel(Delivery.objects.get(pk=row.pk).due_at):
                drain()
            if not Delivery.objects.get(pk=row.pk).is_open:
                break
        tries = len(receiver.requests)
    row.refresh_from_db()
    assert row.state == State.EXPIRED
    assert tries == row.attempts.count() == 3
    assert all(attempt.started_at < row.deadline for attempt in row.attempts.all())
    assert row.attempts.get(number=3).next_at is None
    assert books() == {"expired": 1}


def test_nothing_is_sent_to_this_machine_for_a_tenant_that_is_no_demo(
    demo_tenant, make_channel, make_deliveries, drain
):
    with Receiver() as receiver:
        channel = make_channel(receiver.url)
        demo_tenant.is_demo = False
        demo_tenant.save()
        (row,) = make_deliveries(channel)
        drain()
        assert receiver.requests == []
    attempt = row.attempts.get()
    assert attempt.outcome == Outcome.UNAVAILABLE
    assert "127.0.0.1" not in attempt.error


def test_a_receiver_that_drops_the_connection_is_tried_again(
    make_channel, make_deliveries, drain, books
):
    with Receiver(Answer(drop=True), Answer(drop=True)) as receiver:
        (row,) = make_deliveries(make_channel(receiver.url))
        drain()
    assert row.attempts.get().outcome == Outcome.UNAVAILABLE
    assert books() == {"queued": 1}


def test_an_answer_that_no_database_could_store_is_kept_in_a_form_it_can(
    make_channel, make_deliveries, drain
):
    with Receiver(Answer(500, body=b"\x00\xff\xfe broken \x00" * 1000)) as receiver:
        (row,) = make_deliveries(make_channel(receiver.url))
        drain()
    answer = row.attempts.get().answer
    assert "broken" in answer
    assert len(answer) <= 2000


def test_a_chat_message_is_shown_once_and_its_delivery_is_sent(
    make_channel, make_deliveries, drain, books
):
    rows = make_deliveries(make_channel(kind=Kind.CHAT), 200)
    drain()
    drain()
    shown = ChatMessage.objects.order_by("pk")
    assert [message.delivery_id for message in shown] == [row.pk for row in rows]
    assert shown[0].payload["text"] == "Hello 0"
    assert books() == {"sent": 200}


def test_a_resting_channel_sends_nothing_until_it_is_resumed(
    make_channel, make_deliveries, drain, books
):
    with Receiver() as receiver:
        channel = make_channel(receiver.url, is_active=False)
        make_deliveries(channel, 2)
        drain()
        assert receiver.requests == []
        channel.is_active = True
        channel.save()
        drain()
        assert len(receiver.requests) == 2
    assert books() == {"sent": 2}


def test_urgent_goes_first(make_channel, make_deliveries, drain):
    with Receiver() as receiver:
        channel = make_channel(receiver.url, max_in_flight=1)
        make_deliveries(channel, 2, priority=9)
        make_deliveries(channel, 1, priority=5, recipient="normal", origin=2)
        make_deliveries(channel, 1, priority=0, recipient="urgent", origin=3)
        drain()
        order = [request.json()["data"]["recipient"] for request in receiver.requests]
    assert order[:2] == ["urgent", "normal"]


def test_deliveries_with_one_ordering_key_go_out_one_after_another(
    make_channel, make_deliveries, drain, books
):
    with Receiver(Answer(500)) as receiver:
        channel = make_channel(receiver.url)
        rows = make_deliveries(channel, 4, ordering_key="session-7")
        drain()
        assert len(receiver.requests) == 1, "the second went out before the first was settled"
        with time_machine.travel(timezone.now() + timedelta(seconds=6)):
            drain()
        ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert ids == [rows[0].public_id, *(row.public_id for row in rows)]
    assert books() == {"sent": 4}


def test_a_rate_limit_holds(make_channel, make_deliveries):
    from channels_app.dispatch.claims import Lane, claim

    channel = make_channel("http://127.0.0.1:9999/", rate_limit=10)
    make_deliveries(channel, 50)
    lane, now = Lane(channel), timezone.now()
    taken = [
        len(claim(lane, 50, now=now + timedelta(seconds=tenth / 10), holder="a"))
        for tenth in range(21)
    ]
    assert taken[0] == 2  # a quarter of a second may be made up for
    assert sum(taken) in {22, 23}


def test_a_silent_receiver_does_not_hold_up_the_other_channels(
    make_channel, make_deliveries, drain
):
    with Receiver() as lively:
        # 64 of the 150 at a time; were the others kept waiting behind them, all would time out.
        silence = Answer(until=lambda: len(lively.requests) == 400)
        with Receiver(lambda request: silence) as silent:
            make_deliveries(make_channel(silent.url), 150, origin=1)
            make_deliveries(make_channel(lively.url), 400, origin=2)
            drain()
    assert (len(lively.requests), len(silent.requests)) == (400, 150)
    assert Attempt.objects.count() == 550
    assert not Delivery.objects.exclude(state=State.SENT).exists()
