"""Short retries on time: how many left within a second of when they were due, under load.

The load is another channel's queue, which keeps the workers busy without a pause for longer than
the retries take. A retry counts from when the log says that it was due to its arrival.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from project.receiver.requests import Received
from tests.bench.installation import demo, nginx, queue, settled, workers
from tests.bench.result import Result
from tests.support.receiver import Answer, Receiver

LOAD = 80_000  # deliveries over the channel beside
FLAKY = 2_500  # over the channel whose receiver fails now and then
EVERY = 5  # of so many messages there, one fails at first
ON_TIME = timedelta(seconds=1)
BUSY, SHAKY = 1, 2  # origins


class Arrivals:
    """What the flaky receiver was sent; it answers 500 to the first try of some."""

    def __init__(self) -> None:
        self.by_message: dict[str, list[datetime]] = defaultdict(list)

    def answer(self, request: Received) -> Answer:
        came = self.by_message[request.headers["webhook-id"]]
        came.append(request.at)
        number = int(request.json()["data"]["recipient"].partition("@")[0].removeprefix("u"))
        return Answer(500 if number % EVERY == 0 and len(came) == 1 else 200)


def measure(scale: float) -> list[Result]:
    from channels_app.tasks import wake

    arrivals = Arrivals()
    with nginx() as url, Receiver(arrivals.answer) as receiver:
        busy = demo(f"{url}/hook")
        flaky = _beside(busy, f"{receiver.url}hook")
        queue(flaky, SHAKY, int(FLAKY * scale))
        queue(busy, BUSY, int(LOAD * scale))
        with workers():
            wake()
            settled(SHAKY)
            left = _open(BUSY)
            settled(BUSY)
    late = sorted(
        arrivals.by_message[public_id][1] - due for public_id, due in _planned(flaky).items()
    )
    on_time = sum(one <= ON_TIME for one in late)
    worst = late[-1] / timedelta(seconds=1)
    return [
        Result(
            "5 s retries that left within 1 s of due",
            100 * on_time / len(late),
            "%",
            bar=95,
            note=f"{len(late)} retries, the latest by {worst:.2f} s; "
            f"{left:,} first tries still waited beside them at the end",
        )
    ]


def _beside(channel: Any, url: str) -> Any:
    """Make another webhook channel of the same tenant."""
    from channels_app.channel_services import create_channel
    from channels_app.models import Channel
    from project.access.audit import Actor

    made = Channel(tenant=channel.tenant, name="Flaky", kind="webhook", settings={"url": url})
    create_channel(made, by=Actor.hub("bench"))
    return made


def _open(pk: int) -> int:
    from channels_app.models import Tally

    return Tally.objects.get(origin_kind="bench", origin_id=pk).open


def _planned(channel: Any) -> dict[str, datetime]:
    """When the second try of each message was due, by its public id, as the log has it."""
    from channels_app.models import Attempt

    failed = Attempt.objects.filter(delivery__channel=channel, number=1, next_at__isnull=False)
    return {
        attempt.delivery.public_id: attempt.next_at
        for attempt in failed.select_related("delivery__channel")
        if attempt.next_at is not None
    }
