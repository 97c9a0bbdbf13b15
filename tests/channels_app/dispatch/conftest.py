from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from channels_app.channel_services import create_channel
from channels_app.dispatch.drain import Drain
from channels_app.models import Channel, Delivery, Tally
from channels_app.models.channel import Kind
from channels_app.services import enqueue, open_books
from project.access.audit import Actor
from project.access.models import Tenant

MakeChannel = Callable[..., Channel]
MakeDeliveries = Callable[..., list[Delivery]]


@pytest.fixture
def demo_tenant(tenant: Tenant) -> Tenant:
    """A tenant whose channels may reach receivers on this machine."""
    tenant.is_demo = True
    tenant.save()
    return tenant


@pytest.fixture
def make_channel(demo_tenant: Tenant) -> MakeChannel:
    def make(url: str = "", *, kind: str = Kind.WEBHOOK, **fields) -> Channel:
        number = demo_tenant.channels.count() + 1
        channel = Channel(
            tenant=demo_tenant,
            name=f"Channel {number}",
            kind=kind,
            settings={"url": url} if url else {},
            **fields,
        )
        create_channel(channel, by=Actor.hub("test"))
        return channel

    return make


@pytest.fixture
def make_deliveries(demo_tenant: Tenant) -> MakeDeliveries:
    """Put deliveries into the engine as the floors above do; origin ("test", 1) by default."""

    def make(channel: Channel, count: int = 1, *, origin: int = 1, **fields) -> list[Delivery]:
        now = timezone.now()
        lifetime = fields.pop("lifetime", timedelta(hours=4))
        rows = [
            Delivery(
                **{
                    "tenant": demo_tenant,
                    "channel": channel,
                    "origin_kind": "test",
                    "origin_id": origin,
                    "recipient": f"person{number}@acme.example",
                    "address": f"person{number}@acme.example",
                    "payload": {"type": "TEXT", "text": f"Hello {number}", "subject": "Hello"},
                    "due_at": now,
                    "deadline": now + lifetime,
                    "created_at": now,
                    **fields,
                }
            )
            for number in range(count)
        ]
        open_books(demo_tenant, "test", origin)
        enqueue(rows, kind="test", pk=origin)
        return list(Delivery.objects.of_origin("test", origin).order_by("pk"))[-count:]

    return make


@pytest.fixture
def drain() -> Callable[[], None]:
    """Run the dispatch loop until nothing is due right now."""

    def run() -> None:
        Drain(linger=False).run()

    return run


@pytest.fixture
def books() -> Callable[..., dict[str, int]]:
    """The origin's tally without zeros, checked against the rows themselves."""

    def read(origin: int = 1) -> dict[str, int]:
        tally = Tally.objects.get(origin_kind="test", origin_id=origin)
        counted: dict[str, int] = {}
        for state in Delivery.objects.of_origin("test", origin).values_list("state", flat=True):
            counted[state] = counted.get(state, 0) + 1
        kept = {state: count for state, count in tally.states.items() if count}
        assert kept == counted, "the books do not balance"
        return kept

    return read
