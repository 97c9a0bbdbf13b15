import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from channels_app.models import Attempt, Channel, Delivery, State
from channels_app.services import enqueue, open_books
from notifications.models import FormerLogin
from project.access.models import Tenant

LIST = "/admin/channels_app/delivery/"
EXPORT = f"{LIST}export/"
OPERATE = f"{LIST}operate/"
MakeDelivery = Callable[..., Delivery]
NOON = datetime(2026, 11, 23, 11, tzinfo=UTC)  # 12:00 in Madrid, a Monday


def page_of(delivery: Delivery) -> str:
    return f"{LIST}{delivery.pk}/change/"


@pytest.fixture
def at_noon() -> Iterator[None]:
    """The clock stands still; ask for it before anything that looks at the clock."""
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def channel(tenant: Tenant) -> Channel:
    return Channel.objects.create(tenant=tenant, name="Hooks", kind="webhook")


@pytest.fixture
def other_channel(other_tenant: Tenant) -> Channel:
    return Channel.objects.create(tenant=other_tenant, name="Theirs", kind="webhook")


@pytest.fixture
def make_delivery(channel: Channel) -> MakeDelivery:
    """Store a delivery, with its books: ``make_delivery("ana", state=State.FAILED, tries=2)``.

    Each has a person of its own, as a notification reaches nobody twice: someone of that login who
    is gone since.
    """
    people = itertools.count(1)

    def make(
        recipient: str = "ana",
        *,
        state: State = State.SENT,
        tries: int = 0,
        over: Channel | None = None,
        age: timedelta = timedelta(0),
        **values: Any,
    ) -> Delivery:
        over = over or channel
        created = values.pop("created_at", timezone.now() - age)
        defaults: dict[str, Any] = {
            "origin_kind": "notification",
            "origin_id": 1,
            "recipient_id": next(people),
            "address": recipient,
            "payload": {"type": "TEXT", "text": f"Hello {recipient}"},
            "created_at": created,
            "due_at": created,
            "deadline": created + over.lifetime,
            "settled_at": None if state in (State.QUEUED, State.SENDING) else created,
            "lease_until": timezone.now() + timedelta(minutes=1) if state == "sending" else None,
            "attempt_count": tries,
        }
        delivery = Delivery(
            tenant=over.tenant,
            channel=over,
            recipient=recipient,
            state=state,
            **(defaults | values),
        )
        if delivery.recipient_id is not None:
            FormerLogin.objects.create(
                tenant=over.tenant, login=recipient, recipient_id=delivery.recipient_id
            )
        open_books(over.tenant, delivery.origin_kind, delivery.origin_id)
        enqueue([delivery], kind=delivery.origin_kind, pk=delivery.origin_id)
        for number in range(1, tries + 1):
            Attempt.objects.create(
                delivery=delivery,
                number=number,
                started_at=created + timedelta(seconds=number),
                duration=0.212,
                outcome="unavailable",
                status=503,
                error="HTTP 503",
                answer='{"error": "upstream"}',
            )
        return delivery

    return make


@pytest.fixture
def make_many(channel: Channel) -> Callable[..., list[Delivery]]:
    """Store many sent deliveries of notification 1 at once, one second apart."""

    def make(number: int, *, state: State = State.SENT) -> list[Delivery]:
        start = timezone.now() - timedelta(hours=1)
        rows = [
            Delivery(
                tenant=channel.tenant,
                channel=channel,
                origin_kind="notification",
                origin_id=1,
                recipient_id=n,
                recipient="ana",
                address="ana",
                payload={"type": "TEXT", "text": "Hello"},
                state=state,
                created_at=start + timedelta(seconds=n),
                deadline=start + channel.lifetime,
            )
            for n in range(1, number + 1)
        ]
        open_books(channel.tenant, "notification", 1)
        enqueue(rows, kind="notification", pk=1)
        return list(Delivery.objects.order_by("pk"))

    return make
