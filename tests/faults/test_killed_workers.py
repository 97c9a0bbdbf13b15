"""Workers killed with SIGKILL in the middle of a send, and started again."""

from collections import Counter
from pathlib import Path

import pytest

from channels_app.channel_services import create_channel
from channels_app.dispatch.drain import WINDOW
from channels_app.models import Attempt, Channel, Delivery, Tally
from notifications.audience import Audience
from notifications.composing import Draft
from notifications.models import ORIGIN, Recipient
from notifications.services import notify
from project.access.audit import Actor
from project.access.models import Tenant
from tests.support.receiver import Answer, Receiver
from tests.support.workers import wait_for, workers

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

PEOPLE = 5000
BY = Actor.hub("test")


def test_nothing_is_lost_and_each_repeat_is_an_attempt(tenant: Tenant, tmp_path: Path) -> None:
    tenant.is_demo = True
    tenant.save()
    Recipient.objects.bulk_create(
        [Recipient(tenant=tenant, login=f"u{number}@acme.example") for number in range(PEOPLE)],
        batch_size=1000,
    )
    with (
        Receiver(lambda request: Answer(delay=0.02)) as receiver,
        workers(tmp_path / "worker.log") as running,
    ):
        channel = Channel(
            tenant=tenant, name="Hook", kind="webhook", settings={"url": receiver.url}
        )
        create_channel(channel, by=BY)
        draft = Draft(
            audience=Audience(everyone=True), body="Hello @recipient.login", channel=channel
        )
        pk = notify(tenant, draft, by=BY).pk

        wait_for(lambda: len(receiver.requests) > PEOPLE / 5, seconds=60, what="a fifth of it")
        running.kill()
        seen_before = len(receiver.requests)
        books = Tally.objects.get(origin_kind=ORIGIN, origin_id=pk)
        assert seen_before < PEOPLE, "it was over before the workers were killed"
        assert books.queued > 0

        running.start()
        wait_for(
            lambda: not Tally.objects.get(origin_kind=ORIGIN, origin_id=pk).open,
            seconds=120,
            what="the rest of it",
        )
    received = Counter(request.headers["webhook-id"] for request in receiver.requests)
    rows = list(Delivery.objects.of_origin(ORIGIN, pk).select_related("channel"))
    books.refresh_from_db()
    assert books.states["sent"] == books.total == len(rows) == PEOPLE
    assert set(received) == {row.public_id for row in rows}, "somebody got nothing"

    repeats = {public_id for public_id, count in received.items() if count > 1}
    tries = {row.public_id: row.attempt_count for row in rows}
    assert all(received[public_id] <= tries[public_id] for public_id in repeats)
    assert len(repeats) <= WINDOW

    unknown = set(Attempt.objects.filter(outcome="unknown").values_list("delivery_id", flat=True))
    assert {row.pk for row in rows if row.public_id in repeats} <= unknown
    assert len(unknown) == sum(count - 1 for count in tries.values()) <= WINDOW
