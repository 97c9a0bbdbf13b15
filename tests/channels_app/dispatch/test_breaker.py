"""A channel whose receiver fails is paused, tried one by one, and comes back by itself."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from channels_app.channel_services import change_channel, set_active
from channels_app.connectors.webhook import Webhook
from channels_app.dispatch.breaker import LONGEST
from channels_app.dispatch.drain import Drain
from channels_app.dispatch.health import FAILURES
from channels_app.models import Channel, Delivery
from channels_app.services import halt
from project.access.audit import Actor
from project.access.models import AuditEntry
from tests.support.receiver import Answer, Receiver

pytestmark = pytest.mark.django_db(transaction=True)

BY = Actor.hub("test")


def fails(request) -> Answer:
    return Answer(500)


@pytest.fixture
def probe(drain) -> Callable[[Channel], Channel]:
    """Go to where the paused channel's next probe may leave, and run the loop there."""

    def go(channel: Channel) -> Channel:
        channel.refresh_from_db()
        assert channel.paused_until is not None, "it is not paused"
        with time_machine.travel(channel.paused_until):
            drain()
        channel.refresh_from_db()
        return channel

    return go


@pytest.fixture
def paused(make_channel, make_deliveries, drain) -> Callable[..., Channel]:
    """Make a channel that has just been paused; so many deliveries wait for it."""

    def make(url: str, waiting: int = 50, **fields) -> Channel:
        channel: Channel = make_channel(url, max_in_flight=10)
        make_deliveries(channel, waiting, **fields)
        drain()
        channel.refresh_from_db()
        assert channel.is_paused
        return channel

    return make


def did(action: str) -> int:
    return AuditEntry.objects.filter(action=action).count()


# --- pausing --------------------------------------------------------------------------------------


def test_twenty_failures_in_a_row_pause_a_channel_and_its_messages_wait(
    make_channel, make_deliveries, drain, books
):
    with Receiver(fails) as receiver:
        channel = make_channel(receiver.url, max_in_flight=10)
        changed = channel.updated_at
        make_deliveries(channel, 100)
        before = timezone.now()
        drain()
        tries = len(receiver.requests)
        drain()
        assert len(receiver.requests) == tries, "it was tried while it is paused"
    channel.refresh_from_db()
    assert FAILURES <= tries < FAILURES + 10, "what was under way may still end"
    assert channel.paused_since is not None
    assert channel.paused_since >= before
    assert channel.paused_until == channel.paused_since + timedelta(seconds=30)
    assert channel.pause_error == "The receiver answered 500."
    assert channel.updated_at == changed, "lanes would open its secrets again"
    assert did("channel.pause") == 1
    assert books() == {"queued": 100}


def test_an_answer_in_between_begins_the_count_anew(make_channel, make_deliveries, drain):
    answers = [Answer(200 if number % FAILURES == 0 else 503) for number in range(1, 61)]
    with Receiver(*answers) as receiver:
        channel = make_channel(receiver.url, max_in_flight=1)
        make_deliveries(channel, 60)
        drain()
        assert len(receiver.requests) == 60
    channel.refresh_from_db()
    assert not channel.is_paused


def test_a_busy_receiver_pauses_nothing(make_channel, make_deliveries, drain):
    with Receiver(lambda request: Answer(429)) as receiver:
        channel = make_channel(receiver.url)
        make_deliveries(channel, 60)
        drain()
        assert len(receiver.requests) == 60
    channel.refresh_from_db()
    assert not channel.is_paused


def test_a_busy_receiver_is_no_answer_that_begins_the_count_anew(
    make_channel, make_deliveries, drain
):
    answers = [*[Answer(500)] * (FAILURES - 1), Answer(429), Answer(500)]
    with Receiver(*answers) as receiver:
        channel = make_channel(receiver.url, max_in_flight=1)
        make_deliveries(channel, 60)
        drain()
        assert len(receiver.requests) == FAILURES + 1
    channel.refresh_from_db()
    assert channel.is_paused


def test_one_delivery_that_fails_alone_keeps_its_plan(make_channel, make_deliveries):
    """For more than a day, hourly at the end, over one loop that forgets nothing."""
    with Receiver(fails) as receiver:
        channel = make_channel(receiver.url)
        (row,) = make_deliveries(channel, lifetime=timedelta(hours=30))
        loop = Drain(linger=False)
        while row.is_open and row.due_at < row.deadline:
            planned = row.due_at
            with time_machine.travel(planned):
                while loop._turn():
                    pass
            row.refresh_from_db()
            attempt = row.attempts.get(number=row.attempt_count)
            assert timedelta(0) <= attempt.started_at - planned < timedelta(seconds=10)
            assert row.attempt_count == row.attempts.count() == len(receiver.requests)
    assert row.attempt_count > 30
    channel.refresh_from_db()
    assert not channel.is_paused


def test_a_receiver_that_never_answers_holds_its_share_until_it_is_paused(
    make_channel, make_deliveries, drain, books, monkeypatch
):
    ask = Webhook.request
    monkeypatch.setattr(
        Webhook, "request", lambda *given: ask(*given)._replace(timeout=2.0), raising=True
    )
    with Receiver(lambda request: Answer(until=lambda: False)) as silent, Receiver() as lively:
        dead = make_channel(silent.url)
        make_deliveries(dead, 150, origin=1)
        make_deliveries(make_channel(lively.url), 400, origin=2)
        drain()
        assert len(silent.requests) < 64 + FAILURES
    dead.refresh_from_db()
    assert dead.pause_error == "The time ran out before the answer was complete."
    assert books(1) == {"queued": 150}
    assert books(2) == {"sent": 400}


# --- probes ---------------------------------------------------------------------------------------


def test_it_comes_back_by_itself_and_everything_is_delivered(paused, probe, drain, books):
    over: list[bool] = []
    with Receiver(lambda request: Answer(200 if over else 500)) as receiver:
        channel = paused(receiver.url)
        tries = len(receiver.requests)
        over.append(True)
        channel = probe(channel)
        assert not channel.is_paused
        assert (channel.paused_until, channel.pause_error) == (None, "")
        assert books() == {"sent": 50}, "the first retries were due as well"
        assert len(receiver.requests) == tries + 50
    assert (did("channel.pause"), did("channel.return")) == (1, 1)


def test_each_failed_probe_is_one_try_and_doubles_the_wait_up_to_ten_minutes(paused, probe, books):
    with Receiver(fails) as receiver:
        channel = paused(receiver.url, lifetime=timedelta(days=1))
        since = channel.paused_since
        for wait in (60, 120, 240, 480, 600, 600):
            tries, at = len(receiver.requests), channel.paused_until
            channel = probe(channel)
            assert len(receiver.requests) == tries + 1
            assert wait <= (channel.paused_until - at).total_seconds() < wait + 10
    assert channel.paused_since == since
    assert did("channel.pause") == 1
    assert books() == {"queued": 50}
    newest = Delivery.objects.filter(attempt_count__gt=0).order_by("-claimed_at")[0]
    assert newest.attempts.get(number=newest.attempt_count).outcome == "unavailable"


@pytest.mark.parametrize("status", [429, 410])
def test_a_probe_that_is_refused_is_answered(paused, probe, status):
    over: list[bool] = []
    with Receiver(lambda request: Answer(status if over else 500)) as receiver:
        channel = paused(receiver.url)
        over.append(True)
        channel = probe(channel)
    assert channel.paused_since is None


def test_a_channel_that_fails_again_soon_waits_longer(paused, probe, make_deliveries, drain):
    status = 500
    with Receiver(lambda request: Answer(status)) as receiver:
        channel = paused(receiver.url, 25)
        for later, wait in ((timedelta(minutes=5), 60), (LONGEST + timedelta(minutes=1), 30)):
            status = 200
            channel = probe(channel)
            assert not channel.is_paused
            status = 500
            with time_machine.travel(channel.returned_at + later):
                make_deliveries(channel, 25, origin=wait)
                drain()
            channel.refresh_from_db()
            assert channel.pause_step == wait


def test_old_failures_do_not_pause_a_channel_that_was_changed(make_channel, make_deliveries):
    over: list[bool] = []
    with Receiver(lambda request: Answer(500, until=lambda: bool(over))) as receiver:
        channel = make_channel(receiver.url)
        make_deliveries(channel, 30)
        loop = Drain(linger=False)
        while len(receiver.requests) < 30:
            loop._turn()
        change_channel(channel, by=BY)
        over.append(True)
        loop.run()
    channel.refresh_from_db()
    assert not channel.is_paused


def test_a_changed_channel_is_tried_at_once(paused, drain, books):
    with Receiver(fails) as broken, Receiver() as mended:
        channel = paused(broken.url)
        channel.settings = {"url": mended.url}
        change_channel(channel, by=BY)
        drain()
        assert mended.requests
    channel.refresh_from_db()
    assert not channel.is_paused


# --- what else happens to a paused channel --------------------------------------------------------


def test_messages_expire_and_are_stopped_while_their_channel_is_paused(
    paused, make_deliveries, drain, books
):
    with Receiver(fails) as receiver:
        channel = paused(receiver.url, lifetime=timedelta(seconds=20))
        make_deliveries(channel, 5, origin=2)
        tries = len(receiver.requests)
        halt("test", 2, timezone.now())
        with time_machine.travel(channel.paused_since + timedelta(seconds=25)):
            drain()
        assert len(receiver.requests) == tries
    assert books(1) == {"expired": 50}
    assert books(2) == {"cancelled": 5}


def test_a_rest_ends_the_pause(paused, drain, books):
    with Receiver(*[Answer(500)] * 30) as receiver:
        channel = paused(receiver.url)
        set_active(channel, active=False, by=BY)
        channel.refresh_from_db()
        assert (channel.paused_since, channel.paused_until) == (None, None)
        set_active(channel, active=True, by=BY)
        drain()
        assert books()["sent"] >= 20
    channel.refresh_from_db()
    assert not channel.is_paused


# --- a receiver that wants no more messages -------------------------------------------------------


def test_a_gone_receiver_puts_its_channel_to_rest(make_channel, make_deliveries, drain, books):
    with Receiver(Answer(410)) as receiver:
        channel = make_channel(receiver.url, max_in_flight=1)
        make_deliveries(channel, 10)
        drain()
        assert len(receiver.requests) == 1
    channel.refresh_from_db()
    assert not channel.is_active
    assert did("channel.gone") == 1
    assert books() == {"failed": 1, "queued": 9}


def test_an_old_receivers_farewell_does_not_close_a_changed_channel(make_channel, make_deliveries):
    over: list[bool] = []
    with Receiver(Answer(410, until=lambda: bool(over))) as receiver:
        channel = make_channel(receiver.url)
        make_deliveries(channel)
        loop = Drain(linger=False)
        while not receiver.requests:
            loop._turn()
        change_channel(channel, by=BY)
        over.append(True)
        loop.run()
    channel.refresh_from_db()
    assert channel.is_active


def test_what_was_never_put_into_a_request_says_nothing_of_the_receiver(
    make_channel, make_deliveries, drain
):
    channel = make_channel("http://127.0.0.1:9999/")
    channel.keep_secrets({"secret": "whsec_!"})  # nothing can be signed with it
    channel.save()
    make_deliveries(channel, 30)
    drain()
    channel.refresh_from_db()
    assert not channel.is_paused
    assert set(Delivery.objects.values_list("reason", flat=True)) == {
        "The channel has no usable signing secret."
    }
