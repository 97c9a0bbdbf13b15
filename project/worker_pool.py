"""django-q2's workers, made to end when told to, and to be started anew where they would hang.

django-q2's own `qcluster` runs the same tasks. What this adds: loops that linger learn of a stop
(`project.stopping`), nobody outlives the process above, a pool whose queues are beyond repair
ends, so that whoever started it starts another, and a clock that looks every few seconds.
"""

import logging
import mmap
import multiprocessing
import os
import signal
import struct
import time
import uuid
from typing import Any, NoReturn

from django.db import close_old_connections
from django_q import cluster
from django_q.conf import Conf

from project import stopping
from project.forking import share_by_fork
from project.parent import tie_forks
from project.schedules import LOOKS, SCHEDULES, start_due

log = logging.getLogger(__name__)

GRACE = 12.0  # seconds for tasks to come to their end; a dispatch loop takes up to five
STALL = 120.0  # seconds without a round of the sentinel, after which it is taken for stuck


class _Heartbeat:
    """When the sentinel last did its round; shared by fork, without a lock."""

    def __init__(self) -> None:
        self._at = mmap.mmap(-1, 8)
        self.beat()

    def beat(self) -> None:
        self._at[:] = struct.pack("d", time.monotonic())

    def age(self) -> float:
        """Seconds."""
        (at,) = struct.unpack("d", self._at[:])
        return time.monotonic() - float(at)


class Sentinel(cluster.Sentinel):  # type: ignore[misc]
    """Guards workers, pusher and monitor in a process of its own, until ``stop_event`` is set."""

    def __init__(self, *args: Any, heartbeat: _Heartbeat) -> None:
        self._heartbeat = heartbeat
        self._looked_at = time.monotonic()
        Conf.SCHEDULER = False  # django-q2's clock looks twice a minute
        super().__init__(*args)  # returns when all is over

    def start(self) -> None:
        # Only the process above decides on the end, also when a service manager signals all.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        super().start()

    def status(self) -> Any:
        """Asked in every round, so this is where its other duties are done."""
        self._heartbeat.beat()
        if time.monotonic() - self._looked_at >= LOOKS and not self.stop_event.is_set():
            self._look_at_the_clock()
            self._looked_at = time.monotonic()
        return super().status()

    def _look_at_the_clock(self) -> None:
        try:
            close_old_connections()
            start_due(self.broker)
        except Exception:
            log.exception("Nothing was started by the clock; it looks again in some seconds.")

    def reincarnate(self, process: Any) -> None:
        """Replace a process that ended, or a worker whose task ran out of time."""
        if (process.exitcode or 0) < 0:
            self._give_up(process)
        if process in self.pool and process.is_alive():
            process.kill()  # SIGTERM, which follows, is ignored
        super().reincarnate(process)

    def _give_up(self, process: Any) -> NoReturn:
        """End all, since ``process`` was killed.

        It may have held a queue's lock (of idle workers one always does, waiting for the next
        task), and no one could ever take the queue from it.
        """
        log.critical("Process %s was killed; the workers end, to be started anew.", process.pid)
        stopping.request()
        ends = time.monotonic() + GRACE
        while time.monotonic() < ends and any(map(_at_work, self.pool)):
            self._heartbeat.beat()
            time.sleep(0.1)
        for child in [*self.pool, self.monitor, self.pusher]:
            if child is not None:
                child.kill()
        os._exit(1)


def _at_work(worker: Any) -> bool:
    # Without the timer's lock: the one who was killed may have held it. Above 0: seconds left.
    return bool(worker.is_alive() and worker.timer.get_obj().value > 0)


class WorkerPool:
    """The sentinel, seen from the process that was asked to run it."""

    def __init__(self) -> None:
        self._asked = False
        self._heartbeat = _Heartbeat()

    def run(self) -> bool:
        """Work until SIGTERM or SIGINT; False when the pool ended by itself."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)
        tie_forks()
        share_by_fork(entry.task.rpartition(".")[0] for entry in SCHEDULES)
        context = multiprocessing.get_context("fork")
        stop = context.Event()
        sentinel = context.Process(
            target=Sentinel,
            args=(stop, context.Event(), uuid.uuid4()),
            kwargs={"heartbeat": self._heartbeat},
        )
        sentinel.start()
        while sentinel.is_alive() and not self._asked:
            sentinel.join(0.2)
            if self._heartbeat.age() > STALL:
                log.critical("The workers' sentinel is stuck; it is killed.")
                sentinel.kill()
        if sentinel.is_alive():
            stopping.request()
            stop.set()
            sentinel.join(GRACE)
        if sentinel.is_alive():
            log.critical("Tasks did not come to an end in time; they are killed.")
            sentinel.kill()
        sentinel.join()
        return self._asked

    def _ask(self, *_: Any) -> None:
        self._asked = True
