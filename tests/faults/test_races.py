"""Several loops that all wait for the same row: one of them takes it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from channels_app.models import Attempt, Delivery
from channels_app.services import enqueue, open_books
from project.access.models import Tenant
from tests.faults.loops import loops
from tests.support.channels import make_channel
from tests.support.receiver import Receiver
from tests.support.workers import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

LOOPS, CHANNELS, ROUNDS = 4, 4, 12
ROWS = CHANNELS * ROUNDS


def test_a_row_that_several_loops_wait_for_goes_out_once(tenant: Tenant) -> None:
    tenant.is_demo = True
    tenant.save()
    with Receiver() as receiver, loops(LOOPS):
        channels = [
            make_channel(tenant, "webhook", name=f"{number}", settings={"url": receiver.url})
            for number in range(CHANNELS)
        ]
        open_books(tenant, "test", 1)
        for number in range(1, ROUNDS + 1):
            # Far enough ahead for all of them to wait for it.
            due = timezone.now() + timedelta(milliseconds=250)
            rows = [
                Delivery(
                    tenant=tenant,
                    channel=channel,
                    origin_kind="test",
                    origin_id=1,
                    recipient=f"u{number}",
                    address="ana@acme.example",
                    payload={"type": "TEXT", "text": "Hello"},
                    due_at=due,
                    deadline=due + channel.lifetime,
                )
                for channel in channels
            ]
            enqueue(rows, kind="test", pk=1)
            receiver.wait_for(number * CHANNELS, 30)
        wait_for(
            lambda: Attempt.objects.filter(outcome="accepted").count() == ROWS,
            seconds=30,
            what="the last one's attempt",
        )
    assert len(receiver.requests) == ROWS
    assert list(Attempt.objects.values_list("number", flat=True)) == [1] * ROWS
