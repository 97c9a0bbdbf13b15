"""Dispatch loops in processes of their own, on the test's database."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from channels_app.models import Delivery, State
from tests.support.workers import ROOT, environment

# As a worker's task does, one loop after another; told to stop, it ends in order.
_LOOP = """
import signal, time
import django
django.setup()
from channels_app.dispatch.drain import Drain
from project import stopping
signal.signal(signal.SIGTERM, lambda *_: stopping.request())
Drain(linger=False).run()  # a first look, which takes the longest
print("ready", flush=True)
while not stopping.requested():
    Drain().run() or time.sleep(0.1)
"""


@contextmanager
def loops(count: int) -> Iterator[None]:
    """Run so many dispatch loops beside the test until the end of the block; all look by now."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _LOOP], cwd=ROOT, env=environment(), stdout=subprocess.PIPE
        )
        for _ in range(count)
    ]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n", "a loop could not start"
        yield
        assert all(process.poll() is None for process in running), "a loop ended early"
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.communicate(timeout=60)


class Holders:
    """Which loops have been seen with something under way."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def look(self) -> set[str]:
        sending = Delivery.objects.filter(state=State.SENDING)
        self.seen |= set(sending.values_list("holder", flat=True))
        return self.seen
