"""Channels that block, such as e-mail: batches in threads, a few at a time."""

import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import overload

from channels_app.connectors.base import BatchConnector, Credentials, Unavailable, Verdict
from channels_app.dispatch.results import Result, of_verdict
from channels_app.models import Delivery

log = logging.getLogger(__name__)

THREADS = 8
BATCH = 20  # messages one thread sends before their results are settled


class BatchRunner:
    """Runs batch connectors off the loop's thread. The threads touch no database."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="batch")
        self._running: dict[Future[list[Result]], Batch] = {}
        self._recalled = threading.Event()

    def submit(
        self,
        connector: BatchConnector,
        deliveries: Sequence[Delivery],
        credentials: Credentials,
        now: datetime,
    ) -> None:
        for start in range(0, len(deliveries), BATCH):
            batch = Batch(deliveries[start : start + BATCH], self._recalled)
            future = self._pool.submit(deliver, connector, batch, credentials, now)
            self._running[future] = batch

    def finished(self) -> tuple[list[Result], list[Delivery]]:
        """Take what has ended since the last call: results, and what was recalled in time."""
        results: list[Result] = []
        unsent: list[Delivery] = []
        for future in [future for future in self._running if future.done()]:
            batch = self._running.pop(future)
            if future.cancelled():
                unsent += batch[:]
            else:
                results += future.result()
                unsent += batch.unasked()
        return results, unsent

    def recall(self) -> None:
        """Let nothing more leave: each thread ends with the message it is at."""
        self._recalled.set()
        for future in self._running:
            future.cancel()

    def close(self) -> None:
        self.recall()
        self._pool.shutdown(wait=False)


class Batch(Sequence[Delivery]):
    """Deliveries that notice when a connector asks for each, and that end when recalled.

    Who asks for the next has done with the one before: that times each message by itself, and
    what was never asked for has certainly not left.
    """

    def __init__(self, deliveries: Sequence[Delivery], recalled: threading.Event) -> None:
        self.asked: list[datetime] = []
        self._deliveries = deliveries
        self._recalled = recalled
        self._cut = False

    def __iter__(self) -> Iterator[Delivery]:
        for number, delivery in enumerate(self._deliveries):
            if number == len(self.asked):  # not asked for in an earlier pass
                self._cut = self._cut or self._recalled.is_set()
                if self._cut:
                    return
                self.asked.append(datetime.now(UTC))
            yield delivery

    def __len__(self) -> int:
        return len(self._deliveries)

    @overload
    def __getitem__(self, key: int) -> Delivery: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[Delivery]: ...
    def __getitem__(self, key: int | slice) -> Delivery | Sequence[Delivery]:
        return self._deliveries[key]

    def sent(self) -> Sequence[Delivery]:
        """Return what a verdict is owed for."""
        return self._deliveries[: len(self.asked)] if self._cut else self._deliveries

    def unasked(self) -> Sequence[Delivery]:
        """Return what has not left; to be asked once the batch has ended."""
        return self._deliveries[len(self.sent()) :]

    def times(self) -> list[tuple[datetime, float]]:
        """Return for each delivery sent when it began, and how many seconds it took."""
        ended = datetime.now(UTC)
        began = self.asked + [ended] * (len(self.sent()) - len(self.asked))
        ends = [*began[1:], ended]
        return [(a, (b - a).total_seconds()) for a, b in zip(began, ends, strict=True)]


def deliver(
    connector: BatchConnector, batch: Batch, credentials: Credentials, now: datetime
) -> list[Result]:
    """Send a batch, message by message; each one that was asked for gets a result."""
    verdicts = _verdicts(connector, batch, credentials, now)
    times = batch.times()
    sent = batch.sent()
    if len(verdicts) != len(sent):
        log.error("The %s connector lost count of its messages.", connector.kind)
        verdicts = [Unavailable("Could not send.")] * len(sent)
    return [
        of_verdict(delivery, verdict, started_at=began, duration=seconds)
        for delivery, verdict, (began, seconds) in zip(sent, verdicts, times, strict=True)
    ]


def deliver_at_once(
    connector: BatchConnector,
    deliveries: Sequence[Delivery],
    credentials: Credentials,
    now: datetime,
) -> list[Result]:
    """Send all as one deed, which took each of them an equal share of the time."""
    began = datetime.now(UTC)
    verdicts = _verdicts(connector, deliveries, credentials, now)
    each = (datetime.now(UTC) - began).total_seconds() / max(1, len(deliveries))
    return [
        of_verdict(delivery, verdict, started_at=began, duration=each)
        for delivery, verdict in zip(deliveries, verdicts, strict=True)
    ]


def _verdicts(
    connector: BatchConnector,
    deliveries: Sequence[Delivery],
    credentials: Credentials,
    now: datetime,
) -> list[Verdict]:
    """Ask the connector; whatever it raises, each delivery sent gets a verdict."""
    try:
        return connector.deliver(deliveries, credentials, now)
    except Exception as error:
        sent = deliveries.sent() if isinstance(deliveries, Batch) else deliveries
        return [Unavailable(f"Could not send: {type(error).__name__}")] * len(sent)
