"""Whose turn a probe is, and when: one row of one loop, also where that loop is lost."""

import threading
from datetime import datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone
from django_q.brokers import get_broker

from channels_app import tasks
from channels_app.dispatch.breaker import PROBE_LEASE, take_probe
from channels_app.dispatch.claims import Lane, claim
from channels_app.dispatch.drain import Drain
from channels_app.models import Channel, Delivery, State
from tests.support.channels import make_channel as channel_of
from tests.support.receiver import Answer, Receiver

pytestmark = pytest.mark.django_db(transaction=True)

SOON, LATER = timedelta(seconds=30), timedelta(minutes=10)


@pytest.fixture
def pause():
    """Put a channel on pause as a loop does, its next probe so far ahead."""

    def put(channel: Channel, ahead: timedelta = SOON) -> datetime:
        now = timezone.now()
        Channel.objects.filter(pk=channel.pk).update(
            paused_since=now, paused_until=now + ahead, pause_step=30, pause_error="No answer."
        )
        channel.refresh_from_db()
        return now + ahead

    return put


def in_threads(number: int, what) -> None:
    """Do it so many times at once, each over a connection of its own."""
    together = threading.Barrier(number)

    def run() -> None:
        together.wait(30)
        try:
            what()
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def test_of_loops_that_see_the_same_pause_one_gets_the_probe(make_channel, pause):
    channel = make_channel("http://127.0.0.1:9999/")
    at = pause(channel)
    taken = []
    in_threads(4, lambda: taken.append(take_probe(channel, at)))
    assert len(taken) == 4
    assert sum(probe is not None for probe in taken) == 1


def test_one_row_leaves_as_long_as_the_probe_is_under_way(
    make_channel, make_deliveries, pause, books
):
    others_ended: list[bool] = []
    with Receiver(Answer(until=lambda: bool(others_ended))) as receiver:
        channel = make_channel(receiver.url)
        make_deliveries(channel, 30)
        with time_machine.travel(pause(channel)):
            first = Drain(linger=False)
            while not receiver.requests:
                first._turn()
            in_threads(2, lambda: Drain(linger=False).run())
            assert len(receiver.requests) == 1
            assert books() == {"sending": 1, "queued": 29}
            others_ended.append(True)
            first.run()
    assert books() == {"sent": 30}


def test_a_probe_may_be_a_retry(make_channel, make_deliveries, pause, drain, books):
    with Receiver() as receiver:
        channel = make_channel(receiver.url)
        make_deliveries(channel, 3, attempt_count=2)
        with time_machine.travel(pause(channel)):
            drain()
        assert len(receiver.requests) == 3
    assert books() == {"sent": 3}


def test_a_worker_that_died_with_the_probe_leaves_it_to_another(
    make_channel, make_deliveries, pause, drain, books
):
    with Receiver() as receiver:
        channel = make_channel(receiver.url)
        make_deliveries(channel, 5)
        at = pause(channel)
        assert take_probe(channel, at)
        claim(Lane(channel), 1, now=at, holder="dead")
        with time_machine.travel(at + PROBE_LEASE - timedelta(seconds=20)):
            drain()
            assert receiver.requests == [], "the dead one's probe was still good"
        with time_machine.travel(at + PROBE_LEASE + timedelta(seconds=1)):
            drain()
        channel.refresh_from_db()
        assert not channel.is_paused
        with time_machine.travel(at + timedelta(minutes=5)):
            drain()
    assert books() == {"sent": 5}


def test_what_can_be_no_request_is_no_answer_of_the_receiver(
    demo_tenant, make_deliveries, pause, drain, books
):
    """Such a row fails, and the next one is the probe."""
    with Receiver(lambda request: Answer(500)) as receiver:
        channel = channel_of(
            demo_tenant, "luma", settings={"endpoint": receiver.url}, secrets={"api_token": "t"}
        )
        make_deliveries(channel, 1, origin=1, address="0", priority=0)
        make_deliveries(channel, 5, origin=2, address="ana")
        with time_machine.travel(pause(channel)):
            drain()
        tries = len(receiver.requests)
    channel.refresh_from_db()
    assert books(1) == {"failed": 1}
    assert books(2) == {"queued": 5}
    assert tries == 1
    assert channel.pause_step == 60


# --- when the loops look again --------------------------------------------------------------------


def is_due_now() -> bool:
    event = Delivery.objects.next_event()
    return event is not None and event <= timezone.now()


def test_the_engine_has_nothing_to_do_before_the_probe(make_channel, make_deliveries, pause):
    channel = make_channel("http://127.0.0.1:9999/")
    make_deliveries(channel, 3)
    make_deliveries(channel, 3, origin=2, attempt_count=1)
    assert is_due_now()
    at = pause(channel)
    assert Delivery.objects.next_event() == at


def test_a_probe_waits_for_a_row_that_is_due(make_channel, make_deliveries, pause):
    channel = make_channel("http://127.0.0.1:9999/")
    at = pause(channel)
    assert Delivery.objects.next_event() is None
    (row,) = make_deliveries(channel, due_at=at + timedelta(seconds=30))
    assert Delivery.objects.next_event() == row.due_at
    (row,) = make_deliveries(channel, due_at=at - timedelta(seconds=10))
    assert Delivery.objects.next_event() == at


def test_rows_of_other_channels_are_seen_behind_those_that_wait(
    make_channel, make_deliveries, pause
):
    waits, rests = make_channel("http://127.0.0.1:9999/"), make_channel("http://127.0.0.1:9999/")
    make_deliveries(waits, 3)
    make_deliveries(rests, 3, origin=2)
    Channel.objects.filter(pk=rests.pk).update(is_active=False)
    pause(waits)
    soon = timezone.now() + timedelta(seconds=10)
    (row,) = make_deliveries(make_channel("http://127.0.0.1:9999/"), origin=3, due_at=soon)
    assert Delivery.objects.next_event() == row.due_at
    with time_machine.travel(row.due_at):
        assert is_due_now()


def test_a_loop_waits_for_a_probe_that_is_near(make_channel, make_deliveries, pause, books):
    with Receiver() as receiver:
        channel = make_channel(receiver.url)
        make_deliveries(channel, 5)
        at = pause(channel, timedelta(seconds=1))
        Drain().run()
        assert receiver.requests[0].at >= at
    assert books() == {"sent": 5}


def test_a_loop_ends_where_the_probe_is_far(make_channel, make_deliveries, pause, monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr("channels_app.dispatch.drain.time.sleep", slept.append)
    channel = make_channel("http://127.0.0.1:9999/")
    make_deliveries(channel, 5)
    pause(channel, LATER)
    assert not Drain().run()
    assert slept == []
    assert set(Delivery.objects.values_list("state", flat=True)) == {State.QUEUED}


def test_the_sweep_wakes_the_workers_for_a_probe(make_channel, make_deliveries, pause):
    broker = get_broker()
    broker.purge_queue()
    channel = make_channel("http://127.0.0.1:9999/")
    make_deliveries(channel)
    at = pause(channel, LATER)
    tasks.sweep()
    assert broker.queue_size() == 0, "it is far away"
    with time_machine.travel(at - timedelta(minutes=1)):
        tasks.sweep()
        assert broker.queue_size() == 1
    broker.purge_queue()
