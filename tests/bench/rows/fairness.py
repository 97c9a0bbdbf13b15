"""Healthy endpoints while one in five hangs for 30 s and one in five answers 500.

Ten channels: first all healthy, then two that hang and two that fail. The healthy six must get
their messages soon after they fall due, and about as many a second as when all were well.
"""

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from tests.bench.installation import demo, nginx, queue, settled, workers
from tests.bench.place import ROOT
from tests.bench.result import Result
from tests.support.installation import free_port

CHANNELS, HANGING, FAILING = 10, 2, 2
EACH = 1_500  # deliveries a channel and run
SPREAD = 20.0  # seconds over which the steady run's deliveries fall due


def measure(scale: float) -> list[Result]:
    from channels_app.models import Channel

    each = max(50, int(EACH * scale))
    with nginx() as url, _receiver() as bad:
        first = demo(f"{url}/hook")
        channels = [first]
        for number in range(1, CHANNELS):
            channel = Channel.objects.get(pk=first.pk)
            channel.pk = None
            channel._state.adding = True
            channel.name, channel.is_default = f"Webhook {number}", False
            channel.external_id = ""
            channel.public_id = uuid.uuid4()
            channel.save()
            channels.append(channel)
        healthy = channels[HANGING + FAILING :]
        with workers():
            well = _burst(1, channels, each) * len(healthy) / CHANNELS
            for number, channel in enumerate(channels[: HANGING + FAILING]):
                path = "200:delay=30" if number < HANGING else "500"
                Channel.objects.filter(pk=channel.pk).update(settings={"url": f"{bad}/{path}"})
                Channel.objects.get(pk=channel.pk).save()  # the loops read it anew
            ill = _burst(2, channels, each, wait_for=healthy)
            lateness = _steady(3, channels, each, healthy)
    return [
        Result("all endpoints well, the healthy six's part", well, "deliveries/s"),
        Result("the six while four hang or fail", ill, "deliveries/s"),
        Result("healthy endpoints' throughput beside ill ones", 100 * ill / well, "%", bar=50),
        Result(
            "healthy endpoints, due to first byte, p99",
            lateness,
            "s",
            bar=5,
            sense="at_most",
            note=f"{len(healthy)} of {CHANNELS} channels, over {SPREAD:g} s",
        ),
    ]


def _burst(run: int, channels: list, each: int, wait_for: list | None = None) -> float:
    """Deliveries a second of the channels waited for, all being due at once."""
    from channels_app.tasks import wake

    watched = wait_for or channels
    for number, channel in enumerate(channels):
        queue(channel, run * 100 + number, each, priority=5)
    began = time.monotonic()
    wake()
    for number, channel in enumerate(channels):
        if channel in watched:
            settled(run * 100 + number)
    return len(watched) * each / (time.monotonic() - began)


def _steady(run: int, channels: list, each: int, healthy: list) -> float:
    """Seconds from due to leaving, of a load that falls due bit by bit; the slowest of 99 %."""
    from django.db.models import F
    from django.utils import timezone

    from channels_app.models import Attempt, Delivery
    from channels_app.tasks import wake

    few = each // 2
    later = timezone.now() + timedelta(hours=1)  # nothing leaves before all of it stands
    for number, channel in enumerate(channels):
        pk = run * 100 + number
        queue(channel, pk, few, due_at=later)
        rows = list(Delivery.objects.of_origin("bench", pk))
        for place, row in enumerate(rows):
            row.due_at = later + timedelta(seconds=SPREAD * place / few)
        Delivery.objects.bulk_update(rows, ["due_at"], batch_size=200)
    sooner = later - timezone.now() - timedelta(seconds=2)
    ours = [run * 100 + number for number in range(len(channels))]
    Delivery.objects.filter(origin_kind="bench", origin_id__in=ours).update(
        due_at=F("due_at") - sooner
    )
    wake()
    late: list[float] = []
    for number, channel in enumerate(channels):
        if channel in healthy:
            settled(run * 100 + number)
            planned = dict(
                Delivery.objects.of_origin("bench", run * 100 + number).values_list("pk", "due_at")
            )
            tries = Attempt.objects.filter(delivery__in=planned, number=1)
            late += [
                (started - planned[pk]).total_seconds()
                for pk, started in tries.values_list("delivery_id", "started_at")
            ]
    return sorted(late)[int(len(late) * 0.99)]


@contextmanager
def _receiver() -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "receiver", "--port", str(port), "--quiet"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    try:
        time.sleep(3)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)
