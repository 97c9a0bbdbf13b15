"""Webhook fan-out, queued to settled, every attempt logged: against a task per recipient."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.bench.installation import demo, nginx, queue, resting, settled, workers
from tests.bench.place import ROOT
from tests.bench.result import Result

OURS, PLAIN = 40_000, 2_000  # deliveries
CORES = 2


def measure(scale: float) -> list[Result]:
    from channels_app.models import Delivery
    from channels_app.tasks import wake

    def each(send: Callable[[int], object], pk: int) -> None:
        for row in Delivery.objects.of_origin("bench", pk).values_list("pk", flat=True):
            send(row)

    with nginx() as url:
        channel = demo(f"{url}/hook")
        count, few = int(OURS * scale), int(PLAIN * scale)
        with workers():
            with resting(channel):
                queue(channel, 1, count)
            ours = _rate(1, count, wake)
            with resting(channel):
                queue(channel, 2, few)
                plain = _rate(2, few, lambda: each(_by_q2, 2))
        results = [
            Result("django-q2, a task per recipient", plain, "deliveries/s"),
            Result("dispatch engine", ours, "deliveries/s"),
            Result("fan-out against django-q2", ours / plain, "×", bar=10),
        ]
        if os.environ.get("REDIS_URL"):
            from tests.bench.celery_baseline import send_one

            with resting(channel), _celery():
                queue(channel, 3, few)
                celery = _rate(3, few, lambda: each(send_one.delay, 3))
            results += [
                Result("Celery, a task per recipient", celery, "deliveries/s"),
                Result("fan-out against Celery", ours / celery, "×", bar=10),
            ]
    return results


def _rate(pk: int, count: int, start: Callable[[], object]) -> float:
    """Deliveries a second, from the first hint to the last settled delivery."""
    began = time.monotonic()
    start()
    settled(pk)
    return count / (time.monotonic() - began)


def _by_q2(pk: int) -> object:
    from django_q.tasks import async_task

    return async_task("tests.bench.q2_baseline.send_one", pk)


@contextmanager
def _celery() -> Iterator[None]:
    command = ["-A", "tests.bench.celery_baseline", "worker", "--loglevel=ERROR"]
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", *command, f"--concurrency={CORES}", "--without-gossip"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    try:
        time.sleep(6)  # it has started
        yield
    finally:
        process.terminate()
        process.wait(30)
