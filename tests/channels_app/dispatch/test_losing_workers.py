"""Claims, leases and stops: what holds when workers race or die."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from channels_app import tasks
from channels_app.connectors.base import Receipt
from channels_app.dispatch.claims import LEASE, Lane, claim
from channels_app.dispatch.drain import Drain
from channels_app.dispatch.recover import GIVEN_UP, cancel_halted, expire, give_back
from channels_app.dispatch.results import of_verdict
from channels_app.dispatch.retry import MOST_CUT_OFF
from channels_app.dispatch.settle import settle
from channels_app.models import Attempt, Delivery, Outcome, State
from channels_app.services import halt
from project import stopping
from tests.support.receiver import Answer, Receiver

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_delivery_is_claimed_by_one_worker_only(make_channel, make_deliveries, books):
    channel = make_channel("http://127.0.0.1:9999/")
    make_deliveries(channel, 10)
    now = timezone.now()
    first = claim(Lane(channel), 6, now=now, holder="a")
    second = claim(Lane(channel), 10, now=now, holder="b")
    assert len(first) == 6
    assert len(second) == 4
    assert not {row.pk for row in first} & {row.pk for row in second}
    assert books() == {"sending": 10}


def test_the_attempt_is_counted_before_anything_goes_out(make_channel, make_deliveries):
    channel = make_channel("http://127.0.0.1:9999/")
    (row,) = make_deliveries(channel)
    claim(Lane(channel), 1, now=timezone.now(), holder="a")
    row.refresh_from_db()
    assert (row.state, row.attempt_count) == (State.SENDING, 1)


def test_a_lost_worker_leaves_an_unknown_attempt_and_the_row_returns(
    make_channel, make_deliveries, drain, books
):
    with Receiver() as receiver:
        channel = make_channel(receiver.url)
        (row,) = make_deliveries(channel)
        now = timezone.now()
        claim(Lane(channel), 1, now=now, holder="dead")
        drain()
        assert receiver.requests == [], "its lease was still good"
        with time_machine.travel(now + LEASE + timedelta(seconds=1)):
            drain()
    row.refresh_from_db()
    assert row.state == State.SENT
    assert [a.outcome for a in row.attempts.order_by("number")] == ["unknown", "accepted"]
    assert books() == {"sent": 1}


def test_a_row_that_kills_its_worker_every_time_is_given_up(make_channel, make_deliveries, books):
    channel = make_channel("http://127.0.0.1:9999/")
    (row,) = make_deliveries(channel)
    now, deaths = timezone.now(), 0
    while Delivery.objects.get(pk=row.pk).is_open:
        deaths += bool(claim(Lane(channel), 1, now=now, holder=f"dies-{deaths}"))
        now += timedelta(minutes=1)
        give_back(now)
        expire(now)
        assert deaths < 20
    row.refresh_from_db()
    assert (row.state, row.reason) == (State.FAILED, GIVEN_UP)
    assert row.attempts.count() == deaths == MOST_CUT_OFF
    assert set(row.attempts.values_list("outcome", flat=True)) == {Outcome.UNKNOWN}
    assert books() == {"failed": 1}


def test_what_comes_after_the_lease_ended_changes_nothing(make_channel, make_deliveries, books):
    channel = make_channel("http://127.0.0.1:9999/")
    make_deliveries(channel)
    now = timezone.now()
    (row,) = claim(Lane(channel), 1, now=now, holder="slow")
    give_back(now + LEASE + timedelta(seconds=1))
    late = of_verdict(row, Receipt(), started_at=now, duration=40)
    assert settle([late], now=timezone.now()) == 0
    assert Attempt.objects.get().outcome == Outcome.UNKNOWN
    assert books() == {"queued": 1}


def test_after_a_stop_nothing_more_is_claimed_and_the_rest_is_cancelled(
    make_channel, make_deliveries, drain, books
):
    with Receiver() as receiver:
        channel = make_channel(receiver.url)
        make_deliveries(channel, 700)
        make_deliveries(channel, 1, origin=2)
        halt("test", 1, timezone.now())
        assert claim(Lane(channel), 64, now=timezone.now(), holder="a")[0].origin_id == 2
        tasks.carry_out_stops()
        drain()
        assert receiver.requests == []
    assert books() == {"cancelled": 700}
    assert not cancel_halted(timezone.now())


def test_a_worker_that_is_told_to_stop_settles_what_it_can_and_says_what_it_cannot(
    make_channel, make_deliveries, books, monkeypatch
):
    asked = []

    def requested() -> bool:
        asked.append(True)
        return len(asked) > 3

    monkeypatch.setattr(stopping, "requested", requested)
    monkeypatch.setattr("channels_app.dispatch.drain.GRACE", 1.0)
    quick = [Answer() for _ in range(3)]
    with Receiver(*quick, lambda request: Answer(delay=8)) as receiver:
        make_deliveries(make_channel(receiver.url, max_in_flight=5), 5)
        Drain(linger=False).run()
    assert books() == {"sent": 3, "queued": 2}
    assert list(Attempt.objects.filter(outcome="unknown").values_list("number")) == [(1,), (1,)]


def test_a_hint_with_no_free_slot_ends_at_once(settings, make_channel, make_deliveries):
    settings.DRAINS = 0
    with Receiver() as receiver:
        make_deliveries(make_channel(receiver.url))
        tasks.drain()
        assert receiver.requests == []


def test_the_sweep_wakes_the_workers_when_every_hint_was_lost(make_channel, make_deliveries):
    from django_q.brokers import get_broker

    broker = get_broker()
    broker.purge_queue()
    tasks.sweep()
    assert broker.queue_size() == 0, "nothing is due, nobody need wake"
    make_deliveries(make_channel("http://127.0.0.1:9999/"))
    tasks.sweep()
    assert broker.queue_size() == 1
    broker.purge_queue()
