"""What was cut off twice goes out one after another, and no longer than it must."""

from datetime import datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from channels_app import tasks
from channels_app.dispatch.claims import LEASE, Lane, claim
from channels_app.dispatch.drain import Drain
from channels_app.dispatch.recover import give_back
from channels_app.models import Channel, Delivery
from channels_app.services import enqueue, open_books
from project.access.models import Tenant
from project.receiver.requests import Received
from tests.support.channels import make_channel
from tests.support.receiver import Answer, Receiver

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = ("first", "second", "third")


def queue(channel: Channel, now: datetime) -> None:
    open_books(channel.tenant, "test", 1)
    rows = [
        Delivery(
            tenant=channel.tenant,
            channel=channel,
            origin_kind="test",
            origin_id=1,
            recipient=person,
            address=f"{person}@acme.example",
            payload={"type": "TEXT", "text": "Hello"},
            due_at=now,
            deadline=now + channel.lifetime,
        )
        for person in PEOPLE
    ]
    enqueue(rows, kind="test", pk=1)


def cut_off_twice(channel: Channel, now: datetime) -> datetime:
    """Have two loops die with everything in hand; returns when all is due again."""
    for number in (1, 2):
        assert len(claim(Lane(channel), 9, now=now, holder=f"dead-{number}")) == len(PEOPLE)
        assert give_back(now + LEASE + timedelta(seconds=1)) == len(PEOPLE)
        now += timedelta(minutes=5)
    return now


def test_who_is_answered_at_last_holds_the_others_up_no_longer_than_a_sweep(tenant: Tenant) -> None:
    tenant.is_demo = True
    tenant.save()
    came: list[str] = []

    def answer(request: Received) -> Answer:
        came.append(request.json()["data"]["recipient"])
        return Answer(503 if came[-1] == "first" else 200)

    with Receiver(answer) as receiver:
        channel = make_channel(tenant, "webhook", settings={"url": receiver.url})
        now = timezone.now()
        queue(channel, now)
        with time_machine.travel(cut_off_twice(channel, now), tick=True):
            Drain(linger=False).run()
            assert came == ["first"], "they did not go one after another"
            tasks.sweep()
            Drain(linger=False).run()
    # The first one's next try is minutes away.
    assert came == list(PEOPLE)
    states = Delivery.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["queued", "sent", "sent"]
