"""What two workers keep together: rate limits and order, also where some tries fail."""

from bisect import bisect_right
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from django.utils import timezone

from channels_app.dispatch.claims import BURST
from channels_app.models import Attempt, Channel, Delivery, Tally
from channels_app.services import enqueue, open_books
from project.access.models import Tenant
from project.receiver.requests import Received
from tests.faults.loops import Holders, loops
from tests.support.channels import make_channel
from tests.support.receiver import Answer, Receiver
from tests.support.workers import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

SECOND = timedelta(seconds=1)
KEYS, EACH = 12, 5


@pytest.fixture
def house(tenant: Tenant) -> Tenant:
    tenant.is_demo = True
    tenant.save()
    return tenant


def queue(channel: Channel, people: list[str], *keys: str) -> None:
    """Queue a delivery to each of them, due now, with these ordering keys in turn."""
    now = timezone.now()
    open_books(channel.tenant, "test", channel.pk)
    rows = [
        Delivery(
            tenant=channel.tenant,
            channel=channel,
            origin_kind="test",
            origin_id=channel.pk,
            recipient=person,
            address="ana@acme.example",
            payload={"type": "TEXT", "text": "Hello"},
            ordering_key=keys[number % len(keys)],
            due_at=now,
            deadline=now + timedelta(hours=4),
            created_at=now,
        )
        for number, person in enumerate(people)
    ]
    enqueue(rows, kind="test", pk=channel.pk)


def is_over(channel: Channel) -> bool:
    return not Tally.objects.get(origin_kind="test", origin_id=channel.pk).open


def most_in_a_second(moments: list[datetime]) -> int:
    moments = sorted(moments)
    return max(
        bisect_right(moments, moment + SECOND) - number for number, moment in enumerate(moments)
    )


def lateness(requests: list[Received]) -> timedelta:
    """How much longer than another a request took from its claim to its arrival, at worst.

    It turns what left evenly into what came in a bunch.
    """
    left: dict[str, list[datetime]] = defaultdict(list)
    for attempt in Attempt.objects.select_related("delivery__channel").order_by("number"):
        left[attempt.delivery.public_id].append(attempt.started_at)
    took = [request.at - left[request.headers["webhook-id"]].pop(0) for request in requests]
    return max(took) - min(took)


def test_two_workers_together_keep_each_channel_s_rate_limit_for_first_tries_and_retries(house):
    limits = {4: 20, 50: 250}  # messages a second, messages
    tries: Counter[str] = Counter()
    holders = Holders()

    def answer(request: Received) -> Answer:
        """Every second message of those that come early fails once: never many in a row."""
        who = request.headers["webhook-id"]
        limit, number = map(int, request.json()["data"]["recipient"].split(":"))
        tries[who] += 1
        fails = number % 2 and number < limits[limit] * 2 // 5
        return Answer(503 if fails and tries[who] == 1 else 200)

    with Receiver(answer) as receiver:
        channels = {
            limit: make_channel(
                house,
                "webhook",
                name=f"At most {limit}",
                settings={"url": f"{receiver.url}{limit}"},
                rate_limit=limit,
            )
            for limit in limits
        }
        with loops(2):
            for limit, channel in channels.items():
                queue(channel, [f"{limit}:{number}" for number in range(limits[limit])], "")
            wait_for(
                lambda: bool(holders.look()) and all(map(is_over, channels.values())),
                seconds=120,
                what="the end of it",
            )
        requests = receiver.requests
    assert len(holders.seen) == 2, "one of them did nothing"
    late = lateness(requests) / SECOND
    for limit, number in limits.items():
        came = [request.at for request in requests if request.path == f"/{limit}"]
        assert len(came) == number + number // 5
        burst = max(BURST / SECOND, 1 / limit)
        assert most_in_a_second(came) <= limit * (1 + burst + late) + 1
        # Over the whole time nothing is made up for twice.
        span = (max(came) - min(came)) / SECOND + late
        assert len(came) <= limit * (span + burst) + 1


def test_two_workers_keep_each_key_s_order_across_failures_while_other_keys_flow(house):
    """Of three keys, one message each fails until all others are through."""
    failing = {f"key-{key}": 2 * KEYS + key for key in range(3)}  # the third message of each
    done: set[str] = set()
    log: list[tuple[str, int, bool]] = []
    others = KEYS - len(failing)
    holders = Holders()

    def answer(request: Received) -> Answer:
        key, number = request.json()["data"]["recipient"].split(":")
        ok = failing.get(key) != int(number) or len(done) == others * EACH
        if ok and key not in failing:
            done.add(number)
        log.append((key, int(number), ok))
        # Slowly at first: the second loop must not come when all is over.
        return Answer(200 if ok else 500, delay=0.1 if len(holders.seen) == 2 else 1)

    with Receiver(answer) as receiver:
        # Neither of them can have all keys under way by itself.
        channel = make_channel(
            house, "webhook", settings={"url": receiver.url}, max_in_flight=KEYS * 2 // 3
        )
        keys = [f"key-{key}" for key in range(KEYS)]
        with loops(2):
            people = [f"{keys[number % KEYS]}:{number}" for number in range(KEYS * EACH)]
            queue(channel, people, *keys)
            wait_for(
                lambda: bool(holders.look()) and is_over(channel), seconds=180, what="the end of it"
            )
    assert len(holders.seen) == 2, "one of them did nothing"
    assert len(done) == others * EACH
    for key in {key for key, _, _ in log}:
        tried = [(number, ok) for name, number, ok in log if name == key]
        taken = [number for number, ok in tried if ok]
        assert taken == sorted(taken), f"{key} was overtaken"
        assert len(taken) == len(set(taken)) == EACH
        for (number, ok), (following, _) in pairwise(tried):
            assert ok or following == number, f"{key} went on although {number} had failed"
        assert all(ok for _, ok in tried) is (key not in failing)
