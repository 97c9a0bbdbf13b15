"""The retry plan over its whole length, with the clock moved from event to event."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import time_machine

from channels_app.dispatch.drain import Drain
from channels_app.dispatch.retry import JITTER, planned_after
from channels_app.models import Channel, Delivery, State
from channels_app.services import enqueue, open_books
from project.access.models import Tenant
from tests.faults.delivery_books import check_attempts, check_tallies, look
from tests.support.channels import make_channel
from tests.support.receiver import Answer, Receiver

pytestmark = pytest.mark.django_db(transaction=True)

BEGIN = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
MOMENT = timedelta(seconds=1)
SLOW = timedelta(seconds=30)  # that one look of the engine may take on a busy machine


def queue(tenant: Tenant, url: str, *lifetimes: timedelta) -> Channel:
    """Put a delivery for each lifetime into the queue, due at BEGIN."""
    tenant.is_demo = True
    tenant.save()
    channel = make_channel(tenant, "webhook", settings={"url": url})
    open_books(tenant, "test", 1)
    rows = [
        Delivery(
            tenant=tenant,
            channel=channel,
            origin_kind="test",
            origin_id=1,
            recipient="ana",
            address="ana@acme.example",
            payload={"type": "TEXT", "text": "Hello"},
            due_at=BEGIN,
            deadline=BEGIN + lifetime,
            created_at=BEGIN,
        )
        for lifetime in lifetimes
    ]
    enqueue(rows, kind="test", pk=1)
    return channel


def at(moment: datetime) -> None:
    """Let the engine do what is due at that moment."""
    with time_machine.travel(moment):
        Drain(linger=False).run()


def events() -> list[datetime]:
    """When queued rows are due, or end."""
    queued = Delivery.objects.filter(state=State.QUEUED)
    return sorted(min(row.due_at, row.deadline) for row in queued)


def run_to_the_end(channel: Channel, receiver: Receiver) -> None:
    """Go from event to event; a second before each, nothing may happen."""
    written: dict = {}
    while ahead := events():
        before, requests = look(channel), len(receiver.requests)
        at(ahead[0] - MOMENT)
        assert look(channel) == before, "something was done before it was due"
        assert len(receiver.requests) == requests
        at(ahead[0])
        rows = look(channel)
        check_tallies(channel, rows)
        check_attempts(channel, rows, written)


def check_plan(row: Delivery) -> int:
    """Hold a delivery's log against the plan; returns how many tries it had."""
    attempts = list(row.attempts.order_by("number"))
    ends = [one.started_at + timedelta(seconds=one.duration or 0) for one in attempts]
    assert attempts[0].started_at - BEGIN <= SLOW
    for number, (one, following) in enumerate(pairwise(attempts), start=1):
        planned = planned_after(number)
        assert one.next_at is not None
        wait = one.next_at - ends[number - 1]
        rounding = timedelta(milliseconds=1)
        assert planned * (1 - JITTER) - rounding <= wait <= planned + rounding
        assert timedelta() <= following.started_at - one.next_at <= SLOW, "it was left out"
    assert attempts[-1].next_at is None
    assert ends[-1] + planned_after(len(attempts)) >= row.deadline, "there was time for another"
    assert all(one.started_at < row.deadline for one in attempts)
    return len(attempts)


def tries_in(lifetime: timedelta, *, early: float) -> int:
    """Count the tries that fit where every wait is shortened by this share."""
    tries, at = 1, timedelta()
    while (at := at + planned_after(tries) * (1 - early)) < lifetime:
        tries += 1
    return tries


@pytest.mark.parametrize(
    "lifetime",
    [timedelta(hours=4), timedelta(days=2)],
    ids=["four hours", "two days"],
)
def test_exactly_the_planned_tries_are_made_and_none_after_the_deadline(tenant, lifetime):
    with Receiver(lambda request: Answer(500)) as receiver:
        channel = queue(tenant, receiver.url, lifetime)
        at(BEGIN)
        run_to_the_end(channel, receiver)
        row = Delivery.objects.get()
        tries = check_plan(row)
        assert len(receiver.requests) == tries == row.attempt_count
        for later in (timedelta(), timedelta(hours=1), timedelta(days=30)):
            at(row.deadline + later)
        assert len(receiver.requests) == tries
    # What the engine's own work takes makes a wait longer by its share.
    assert tries_in(lifetime, early=0) - 1 <= tries <= tries_in(lifetime, early=JITTER)
    row.refresh_from_db()
    assert row.state == State.EXPIRED
    assert row.settled_at is not None
    assert row.deadline <= row.settled_at <= row.deadline + SLOW
    assert row.reason == "The receiver answered 500.", "what its last try met is kept"


def test_deliveries_of_different_lifetimes_each_keep_their_own_plan(tenant):
    lifetimes = [timedelta(seconds=3), timedelta(minutes=3), timedelta(hours=4)]
    with Receiver(lambda request: Answer(503)) as receiver:
        channel = queue(tenant, receiver.url, *lifetimes)
        at(BEGIN)
        run_to_the_end(channel, receiver)
    rows = list(Delivery.objects.order_by("pk"))
    assert {row.state for row in rows} == {State.EXPIRED}
    tries = [check_plan(row) for row in rows]
    assert tries[0] == 1
    assert tries[1] in {4, 5}
    assert sum(tries) == len(receiver.requests)


def test_a_receiver_that_comes_back_the_next_day_gets_it_once(tenant):
    back = BEGIN + timedelta(hours=30)
    with Receiver(lambda request: Answer(200 if request.at >= back else 502)) as receiver:
        channel = queue(tenant, receiver.url, timedelta(days=3))
        at(BEGIN)
        run_to_the_end(channel, receiver)
        taken = [request for request in receiver.requests if request.at >= back]
    row = Delivery.objects.get()
    assert row.state == State.SENT
    assert len(taken) == 1
    assert row.settled_at is not None
    assert row.settled_at - back <= timedelta(hours=1) + SLOW
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1


@pytest.mark.parametrize("asked", ["14399", "86400", "Mon, 23 Nov 2026 11:29:59 GMT"])
def test_a_receiver_cannot_put_a_try_off_beyond_the_deadline(tenant, asked):
    answer = Answer(429, headers={"Retry-After": asked})
    with Receiver(lambda request: answer) as receiver:
        channel = queue(tenant, receiver.url, timedelta(hours=4))
        at(BEGIN)
        run_to_the_end(channel, receiver)
        tries = len(receiver.requests)
    row = Delivery.objects.get()
    assert row.state == State.EXPIRED
    assert tries == row.attempt_count <= 2
    assert all(request.at < row.deadline for request in receiver.requests)


def test_after_a_standstill_of_hours_there_is_one_try_and_the_plan_goes_on(tenant):
    with Receiver(lambda request: Answer(500)) as receiver:
        channel = queue(tenant, receiver.url, timedelta(hours=4))
        at(BEGIN)
        woken = BEGIN + timedelta(hours=2)
        at(woken)
        assert len(receiver.requests) == 2, "what was missed is not made up for"
        row = Delivery.objects.get()
        assert planned_after(2) * 0.9 <= row.due_at - woken <= planned_after(2) + SLOW
        run_to_the_end(channel, receiver)
    assert Delivery.objects.get().state == State.EXPIRED


def test_what_was_due_while_nothing_ran_expires_untried_once_its_deadline_is_over(tenant):
    with Receiver() as receiver:
        queue(tenant, receiver.url, timedelta(hours=4))
        at(BEGIN + timedelta(hours=4))
        assert receiver.requests == []
    row = Delivery.objects.get()
    assert (row.state, row.attempt_count) == (State.EXPIRED, 0)


def test_a_clock_that_is_put_back_repeats_nothing(tenant):
    with Receiver(Answer(500)) as receiver:
        channel = queue(tenant, receiver.url, timedelta(hours=4))
        at(BEGIN)
        at(BEGIN - timedelta(hours=1))
        assert len(receiver.requests) == 1
        run_to_the_end(channel, receiver)
        at(BEGIN - timedelta(hours=1))
    assert len(receiver.requests) == 2
    assert Delivery.objects.get().state == State.SENT
