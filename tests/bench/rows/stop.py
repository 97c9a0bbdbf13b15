"""The stop button: how long after the click the last message of a notification arrives.

The web server and the workers run as an operator starts them; the click is the request that a
signed-in browser sends. The receiver is slow enough for the stop to find messages under way.
"""

import json
import re
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import requests

from project.receiver.requests import Received
from tests.bench.console import signed_in, web
from tests.bench.installation import demo, workers
from tests.bench.result import Result
from tests.support.receiver import Answer, Receiver

PEOPLE = 20_000
ROUNDS = 5
UNDER_WAY = 0.05  # share of the people that were reached before the click
ANSWERS_AFTER = 0.02  # seconds
QUIET = 6.0  # seconds without an arrival, after which a round is over
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Arrivals:
    """When the messages of each notification came."""

    def __init__(self) -> None:
        self.by_notification: dict[int, list[datetime]] = defaultdict(list)

    def answer(self, request: Received) -> Answer:
        self.by_notification[request.json()["data"]["notification"]].append(request.at)
        return Answer(delay=ANSWERS_AFTER)


@dataclass(frozen=True, slots=True)
class Round:
    reached: int  # people
    seconds: float  # from the click to the last arrival
    took: float  # seconds until the click was answered


def measure(scale: float) -> list[Result]:
    people = max(1_000, int(PEOPLE * scale))
    arrivals = Arrivals()
    with Receiver(arrivals.answer) as receiver:
        channel = demo(f"{receiver.url}hook")
        _people(channel.tenant, people)
        with web() as (hub, _), workers():
            browser = signed_in(hub.url, *_operator())
            rounds = [_round(channel, people, arrivals, browser, hub.url) for _ in range(ROUNDS)]
    worst = max(rounds, key=lambda one: one.seconds)
    reached = ", ".join(f"{one.reached:,}" for one in rounds)
    return [
        Result(
            "stop: from the click to the last message that left",
            worst.seconds,
            "s",
            bar=1.0,
            sense="at_most",
            note=f"the worst of {ROUNDS}; reached {reached} of {people:,}; "
            f"the click was answered in {max(one.took for one in rounds):.2f} s",
        )
    ]


def _round(
    channel: Any, people: int, arrivals: Arrivals, browser: requests.Session, url: str
) -> Round:
    from notifications.audience import Audience
    from notifications.composing import Draft
    from notifications.services import notify
    from project.access.audit import Actor

    draft = Draft(audience=Audience(everyone=True), body="Hello @recipient.login", channel=channel)
    pk = notify(channel.tenant, draft, by=Actor.hub("bench")).pk
    came = arrivals.by_notification[pk]
    _wait_until(lambda: len(came) >= people * UNDER_WAY)
    page = f"{url}/admin/notifications/notification/{pk}"
    token = _TOKEN.search(browser.get(f"{page}/change/", timeout=30).text)
    assert token, "the page shows no button"
    clicked = datetime.now(UTC)
    answer = browser.post(
        f"{page}/do/stop/",
        {"csrfmiddlewaretoken": token[1]},
        headers={"Referer": f"{page}/change/"},
        allow_redirects=False,
        timeout=60,
    )
    took = (datetime.now(UTC) - clicked).total_seconds()
    assert answer.status_code == 302, answer.status_code
    _wait_until(lambda: datetime.now(UTC) - came[-1] > timedelta(seconds=QUIET))
    assert len(came) < people, "it was over before it was stopped"
    return Round(len(came), max(0.0, (came[-1] - clicked).total_seconds()), took)


def _people(tenant: Any, count: int) -> None:
    from notifications.models import Recipient

    Recipient.objects.bulk_create(
        [Recipient(tenant=tenant, login=f"u{number}@load.example") for number in range(count)],
        batch_size=1000,
    )


def _operator() -> tuple[str, str]:
    """The demo's operator and the password."""
    from django.core.management import call_command

    said = StringIO()
    call_command("demo", "--json", stdout=said)
    known = json.loads(said.getvalue())["operator"]
    return known["username"], known["password"]


def _wait_until(condition: Callable[[], bool], *, seconds: float = 120) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError(f"waited {seconds} s")
        time.sleep(0.01)
