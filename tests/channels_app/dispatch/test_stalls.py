"""A loop that stood still for longer than its leases: a suspended machine, a locked database."""

from datetime import timedelta
from time import monotonic

import pytest
import time_machine
from django.utils import timezone

from channels_app.connectors.base import Receipt
from channels_app.dispatch.claims import LEASE, Lane, claim
from channels_app.dispatch.drain import Drain
from channels_app.dispatch.recover import give_back
from channels_app.dispatch.results import of_verdict
from channels_app.dispatch.settle import settle
from channels_app.models import Attempt
from tests.support.receiver import Answer, Receiver

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_loop_that_wakes_after_its_leases_ended_sends_nothing_twice(
    make_channel, make_deliveries, books
):
    travel = time_machine.travel(timezone.now() + LEASE + timedelta(seconds=30))
    with Receiver(lambda request: Answer(until=lambda: monotonic() > free)) as receiver:
        make_deliveries(make_channel(receiver.url), 10)
        free = float("inf")
        loop = Drain(linger=False)
        while len(receiver.requests) < 10:
            loop._turn()
        with travel:
            free = monotonic() + 2.5  # it keeps house meanwhile
            loop.run()
        assert len(receiver.requests) == 10
    assert books() == {"sent": 10}
    assert set(Attempt.objects.values_list("number", "outcome")) == {(1, "accepted")}


def test_what_others_gave_back_meanwhile_does_not_end_the_loop(
    make_channel, make_deliveries, books
):
    over: list[bool] = []
    with Receiver(lambda request: Answer(until=lambda: bool(over))) as receiver:
        make_deliveries(make_channel(receiver.url), 3)
        loop = Drain(linger=False)
        while len(receiver.requests) < 3:
            loop._turn()
        later = timezone.now() + LEASE + timedelta(seconds=1)
        assert give_back(later) == 3  # as the sweep of another host does
        with time_machine.travel(later + timedelta(seconds=10)):
            while len(receiver.requests) < 6:  # again, while the first requests still fly
                loop._turn()
            over.append(True)
            loop.run()
    assert books() == {"sent": 3}
    tries = Attempt.objects.values_list("number", "outcome")
    assert sorted(tries) == [(1, "unknown")] * 3 + [(2, "accepted")] * 3


def test_a_late_end_is_not_booked_to_the_next_try(make_channel, make_deliveries, books):
    channel = make_channel("http://127.0.0.1:9999/")
    make_deliveries(channel)
    now = timezone.now()
    (first,) = claim(Lane(channel), 1, now=now, holder="a")
    later = now + LEASE + timedelta(seconds=1)
    give_back(later)
    (second,) = claim(Lane(channel), 1, now=later + timedelta(seconds=5), holder="a")
    late = of_verdict(first, Receipt(), started_at=now, duration=40)
    assert settle([late], now=later) == 0
    assert books() == {"sending": 1}
    ends = of_verdict(second, Receipt(), started_at=later, duration=1)
    assert settle([late, ends], now=later) == 1
    tries = Attempt.objects.values_list("number", "outcome")
    assert sorted(tries) == [(1, "unknown"), (2, "accepted")]
    assert books() == {"sent": 1}
