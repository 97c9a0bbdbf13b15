"""Who gets the places: rate limits, retries beside first tries, channels beside each other."""

from datetime import timedelta

import pytest
from django.utils import timezone

from channels_app.dispatch.claims import Lane, claim
from channels_app.dispatch.drain import Drain
from channels_app.dispatch.results import try_of
from channels_app.models import Delivery
from channels_app.services import halt
from tests.support.receiver import Answer, Receiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def take():
    """Claim over a lane as a loop would for some seconds, all tries ending at once."""

    def run(lane: Lane, *, seconds: int) -> list[Delivery]:
        now, taken = timezone.now(), list[Delivery]()
        for tick in range(seconds * 50):
            at = now + timedelta(seconds=tick / 50)
            for delivery in claim(lane, 50, now=at, holder="a"):
                lane.landed(try_of(delivery))
                taken.append(delivery)
        return taken

    return run


@pytest.mark.parametrize("rate", [1, 2, 3, 4, 5, 100])
def test_a_slow_rate_is_kept_too(make_channel, make_deliveries, take, rate):
    channel = make_channel("http://127.0.0.1:9999/", rate_limit=rate)
    make_deliveries(channel, 5 * rate)
    taken = take(Lane(channel), seconds=3)
    burst = max(1, rate // 4)
    assert 3 * rate <= len(taken) <= 3 * rate + burst


def test_under_a_rate_limit_retries_get_a_quarter_and_first_tries_the_rest(
    make_channel, make_deliveries, take
):
    channel = make_channel("http://127.0.0.1:9999/", rate_limit=5)
    make_deliveries(channel, 60, origin=1)
    make_deliveries(channel, 60, origin=2, attempt_count=1)
    taken = take(Lane(channel), seconds=8)
    retries = [row for row in taken if row.origin_id == 2]
    assert 40 <= len(taken) <= 41
    assert 9 <= len(retries) <= 11


def test_retries_get_what_first_tries_leave(make_channel, make_deliveries, take):
    channel = make_channel("http://127.0.0.1:9999/", rate_limit=5)
    make_deliveries(channel, 2, origin=1)
    make_deliveries(channel, 60, origin=2, attempt_count=1)
    taken = take(Lane(channel), seconds=4)
    assert 20 <= len(taken) <= 21
    assert sum(row.origin_id == 1 for row in taken) == 2


def test_in_a_narrow_channel_first_tries_go_out_beside_the_retries(
    make_channel, make_deliveries, take
):
    channel = make_channel("http://127.0.0.1:9999/", max_in_flight=1)
    make_deliveries(channel, 30, origin=1)
    make_deliveries(channel, 30, origin=2, attempt_count=1)
    taken = take(Lane(channel), seconds=1)[:20]
    assert sum(row.origin_id == 2 for row in taken) == 5


def test_hanging_channels_leave_room_for_who_comes_next(
    make_channel, make_deliveries, books, monkeypatch
):
    """Its first round finds room while three others hang, however often those were served."""
    monkeypatch.setattr("channels_app.dispatch.drain.WINDOW", 64)  # 32 for this loop
    over: list[bool] = []
    with (
        Receiver(lambda request: Answer(until=lambda: bool(over))) as silent,
        Receiver() as lively,
    ):
        for origin in (1, 2, 3):
            make_deliveries(make_channel(silent.url), 100, origin=origin)
        channel = make_channel(lively.url)
        loop = Drain(linger=False)
        for _ in range(20):
            loop._turn()
        make_deliveries(channel, 40, origin=4)
        for _ in range(200):
            loop._turn()
            if books(4) == {"sent": 40}:
                break
        assert books(4) == {"sent": 40}
        for origin in (1, 2, 3):
            halt("test", origin, timezone.now())
        over.append(True)
        loop.run()


def test_a_channel_alone_gets_all_that_it_may_have_in_flight(make_channel, make_deliveries):
    over: list[bool] = []
    with Receiver(lambda request: Answer(until=lambda: bool(over))) as receiver:
        make_deliveries(make_channel(receiver.url), 64)
        loop = Drain(linger=False)
        for _ in range(5):
            loop._turn()
        assert len(loop.hand.flying) == 64
        over.append(True)
        loop.run()
