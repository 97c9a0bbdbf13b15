"""A session's callbacks while their receiver is down, with the clock moved from event to event."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from channels_app.dispatch.drain import Drain
from channels_app.dispatch.retry import STEPS
from channels_app.models import Channel, Delivery, Session, State
from channels_app.sessions.services import Said, end_by_agent, join, say, transfer
from tests.faults.delivery_books import check_tallies, look
from tests.support.alvaria import (
    CustomServer,
    callbacks_of,
    checked,
    make_agent,
    make_api_client,
    make_callbacks,
    make_work_type,
)
from tests.support.receiver import Answer, Receiver

pytestmark = pytest.mark.django_db(transaction=True)

BEGIN = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
KINDS = [
    *("NEW_SESSION", "AGENT_JOINED", "MESSAGE", "MESSAGE", "SESSION_REROUTE"),
    *("AGENT_JOINED", "MESSAGE_STATUS", "SESSION_END"),
]


@pytest.fixture
def live(tenant, make_user) -> Callable[[str], tuple[Channel, Session]]:
    """Play a session from end to end at BEGIN, a minute from step to step, over a callback URL."""

    def play(url: str) -> tuple[Channel, Session]:
        tenant.is_demo = True
        tenant.save()
        channel = make_callbacks(tenant, url)
        billing, outages = make_work_type(tenant), make_work_type(tenant, "33", "Outages")
        john = make_agent(make_user("Agent"), billing, outages)
        with time_machine.travel(BEGIN) as clock:
            server = CustomServer(make_api_client(tenant)).sign_in()
            session = server.opened()
            inside = {"attachment": {"type": "File", "url": "http://10.0.0.1/"}}
            for step in (
                lambda: join(session, agent=john),
                lambda: say(session, Said("Hello there."), agent=john),
                lambda: say(session, Said("What can I do for you?"), agent=john),
                lambda: transfer(session, agent=john, to_work_type=outages),
                lambda: join(session, agent=john),
                lambda: server.say(str(session.public_id), inside),
                lambda: end_by_agent(session, agent=john),
            ):
                drain()
                clock.shift(timedelta(minutes=1))
                step()
            drain()
        return channel, session

    return play


def drain() -> None:
    Drain(linger=False).run()


def run(now: datetime, end: datetime) -> None:
    """Let the engine do at its time whatever is due or over, from ``now`` to ``end``."""
    while True:
        queued = Delivery.objects.filter(state=State.QUEUED)
        # What waits for its turn is due all the while; the one before it says when.
        ahead = [moment for row in queued for moment in (row.due_at, row.deadline) if moment > now]
        now = min(ahead, default=end)
        if now >= end:
            return
        with time_machine.travel(now):
            drain()


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event.get("event", "MESSAGE") for event in events]


def rows(channel: Channel) -> list[Delivery]:
    return list(Delivery.objects.filter(channel=channel, origin_kind="session").order_by("pk"))


def test_what_happens_while_the_receiver_is_there_comes_in_order_and_once(live):
    with Receiver() as receiver:
        channel, session = live(receiver.url)
        came = checked(receiver, channel)
    assert kinds(came) == KINDS
    assert came == callbacks_of(session)
    assert len({event["eventId"] for event in came}) == len(KINDS)


def test_only_200_is_success(live):
    with Receiver(*(Answer(status) for status in (201, 202, 204, 302, 400, 410))) as receiver:
        channel, _ = live(receiver.url)
        run(BEGIN + timedelta(minutes=8), BEGIN + timedelta(hours=1))
        came = checked(receiver, channel)
    first = came[0]["eventId"]
    assert [event["eventId"] for event in came[:7]] == [first] * 7
    assert kinds(came[6:]) == KINDS
    assert {row.state for row in rows(channel)} == {State.SENT}
    channel.refresh_from_db()
    assert channel.is_active, "410 is nothing special here"


def test_a_receiver_that_was_down_for_three_hours_gets_every_event_in_order(live):
    back = BEGIN + timedelta(hours=3)
    with Receiver(lambda request: Answer(200 if request.at >= back else 503)) as receiver:
        channel, session = live(receiver.url)
        run(BEGIN + timedelta(minutes=8), BEGIN + timedelta(hours=5))
        before = checked(receiver, channel, [r for r in receiver.requests if r.at < back])
        came = checked(receiver, channel, [r for r in receiver.requests if r.at >= back])
    assert came == callbacks_of(session), "all of them, in order, each once"
    assert kinds(came) == KINDS
    assert {event["eventId"] for event in before} == {came[0]["eventId"]}, "none overtook the first"
    tries = rows(channel)[0].attempts.order_by("number").exclude(next_at=None)
    waits = [one.next_at - one.started_at for one in tries if one.next_at][: len(STEPS)]
    assert waits == sorted(waits), "with decreasing frequency"
    late = [row.settled_at - back for row in rows(channel) if row.settled_at]
    assert max(late) <= timedelta(hours=1, minutes=1)
    check_tallies(channel, look(channel))


def test_one_that_was_down_for_five_hours_finds_them_expired_and_an_operator_replays_them(
    live, client_as
):
    back = BEGIN + timedelta(hours=5)
    with Receiver(lambda request: Answer(200 if request.at >= back else 503)) as receiver:
        channel, session = live(receiver.url)
        run(BEGIN + timedelta(minutes=8), back)
        expired = rows(channel)
        assert {row.state for row in expired} == {State.EXPIRED}
        assert all(row.settled_at and row.settled_at <= back for row in expired)
        assert len(expired) == len(KINDS)
        tried = len(receiver.requests)
        with time_machine.travel(back + timedelta(minutes=5)):
            drain()
            assert len(receiver.requests) == tried, "nothing goes out by itself any more"
            operator: Client = client_as("Operator")
            log = operator.get("/admin/channels_app/delivery/", {"state": "expired"})
            assert log.content.decode().count("state-expired") >= len(KINDS)
            deed = {
                "deed": "replay",
                "delivery": [str(row.pk) for row in reversed(expired)],
                "confirmed": "yes",
            }
            operator.post("/admin/channels_app/delivery/operate/", deed)
            for _ in KINDS:
                drain()
        came = checked(receiver, channel, receiver.requests[tried:])
    assert came == callbacks_of(session), "in order, and known by their first eventIds"
    check_tallies(channel, look(channel))


def test_a_session_that_is_stuck_holds_up_no_other(tenant, make_user):
    tenant.is_demo = True
    tenant.save()
    stuck: set[str] = set()
    with Receiver(
        lambda request: Answer(500 if request.json()["sessionId"] in stuck else 200)
    ) as receiver:
        channel = make_callbacks(tenant, receiver.url)
        make_work_type(tenant)
        server = CustomServer(make_api_client(tenant)).sign_in()
        first = server.opened()
        stuck.add(str(first.public_id))
        second = server.opened()
        server.close(str(first.public_id))
        server.close(str(second.public_id))
        drain()
        drain()
        came = [event for event in checked(receiver, channel) if event["sessionId"] not in stuck]
    assert kinds(came) == ["NEW_SESSION", "SESSION_END"]
