"""Webhook fan-out, queued to settled, every attempt logged: against a task per recipient."""

import time

from tests.bench.installation import demo, nginx, queue, settled, workers
from tests.bench.result import Result

OURS, PLAIN = 40_000, 2_000  # deliveries


def measure(scale: float) -> list[Result]:
    from channels_app.models import Channel

    with nginx() as url:
        channel = demo(f"{url}/hook")
        count = int(OURS * scale)
        queue(channel, 1, count)
        with workers():
            ours = count / engine(1)
            # The engine leaves the baseline's rows alone.
            Channel.objects.filter(pk=channel.pk).update(is_active=False)
            few = int(PLAIN * scale)
            queue(channel, 2, few)
            plain = few / task_each(2)
    return [
        Result("django-q2 task per recipient", plain, "deliveries/s"),
        Result("dispatch engine", ours, "deliveries/s"),
        Result("fan-out against django-q2", ours / plain, "×", bar=10),
    ]


def engine(pk: int) -> float:
    """Seconds from the hint to the last settled delivery."""
    from channels_app.tasks import wake

    began = time.monotonic()
    wake()
    settled(pk)
    return time.monotonic() - began


def task_each(pk: int) -> float:
    """The same with a task per delivery."""
    from django_q.tasks import async_task

    from channels_app.models import Delivery

    began = time.monotonic()
    for row in Delivery.objects.of_origin("bench", pk).values_list("pk", flat=True):
        async_task("tests.bench.q2_baseline.send_one", row)
    settled(pk)
    return time.monotonic() - began
