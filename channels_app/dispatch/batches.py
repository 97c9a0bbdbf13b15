"""Channels that block, such as e-mail: batches in threads, a few at a time."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime

from channels_app.connectors.base import BatchConnector, Credentials, Unavailable, Verdict
from channels_app.dispatch.results import Result, of_verdict
from channels_app.models import Delivery

THREADS = 8
BATCH = 20  # messages one thread sends before their results are settled


class BatchRunner:
    """Runs batch connectors off the loop's thread. The threads touch no database."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="batch")
        self._running: set[Future[list[Result]]] = set()

    def submit(
        self,
        connector: BatchConnector,
        deliveries: Sequence[Delivery],
        credentials: Credentials,
        now: datetime,
    ) -> None:
        for start in range(0, len(deliveries), BATCH):
            batch = deliveries[start : start + BATCH]
            self._running.add(self._pool.submit(deliver, connector, batch, credentials, now))

    def finished(self) -> list[Result]:
        """Take the results of the batches that have ended since the last call."""
        done = {future for future in self._running if future.done()}
        self._running -= done
        return [result for future in done for result in future.result()]

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def deliver(
    connector: BatchConnector,
    deliveries: Sequence[Delivery],
    credentials: Credentials,
    now: datetime,
) -> list[Result]:
    """Send one batch; whatever a connector raises, each delivery gets a result."""
    began = datetime.now(tz=now.tzinfo)
    verdicts: list[Verdict]
    try:
        verdicts = connector.deliver(deliveries, credentials, now)
    except Exception as error:
        verdicts = [Unavailable(f"Could not send: {type(error).__name__}")] * len(deliveries)
    each = (datetime.now(tz=now.tzinfo) - began).total_seconds() / max(1, len(deliveries))
    return [
        of_verdict(delivery, verdict, started_at=began, duration=each)
        for delivery, verdict in zip(deliveries, verdicts, strict=True)
    ]
