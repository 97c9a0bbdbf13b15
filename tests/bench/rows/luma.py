"""Luma's route against a bare DRF view with one insert: same server, settings and middlewares."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

from tests.bench.result import Result
from tests.bench.web_load import (
    CONNECTIONS,
    Load,
    load,
    make_bare_table,
    percentiles,
    rate,
    server,
)
from tests.support.luma import PATH, SEED

ROUNDS = 3  # of each, in turns: a machine is not equally fast all the time
SECONDS = 4  # a round
WARM_UP = 2  # seconds


def measure(scale: float) -> list[Result]:
    from django.core.management import call_command

    from notifications.models import Notification
    from project.access.models import ApiClient

    said = StringIO()
    call_command("demo", json=True, stdout=said)
    token = json.loads(said.getvalue())["luma"]["api_token"]
    ApiClient.objects.update(rate_limit=1_000_000_000)  # counted, but never reached
    make_bare_table()
    before = Notification.objects.count()
    seconds = max(1, round(SECONDS * scale))
    ours: list[Load] = []
    bare: list[Load] = []
    warm = 0
    with (
        server("project.settings") as luma,
        server("tests.bench.bare_settings") as plain,
        _body() as body,
    ):

        def post(url: str, lasting: int) -> Load:
            return load(url + PATH, "load.lua", lasting, BENCH_BODY=body, BENCH_TOKEN=token)

        warm = post(luma, WARM_UP).answers
        post(plain, WARM_UP)
        for _ in range(ROUNDS):
            bare.append(post(plain, seconds))
            ours.append(post(luma, seconds))
    stored = Notification.objects.count() - before
    answered = warm + sum(each.answers for each in ours)
    # What was under way when a round ended was accepted as well, though nobody read the answer.
    under_way = (ROUNDS + 1) * CONNECTIONS
    wrong = sum(each.refused + each.broken for each in [*ours, *bare])
    lost = max(0, answered - stored) + max(0, stored - answered - under_way)
    speed, base = rate(ours), rate(bare)
    return [
        Result("bare DRF view, one insert", base, "requests/s", note=percentiles(bare)),
        Result("Luma route", speed, "requests/s", note=percentiles(ours)),
        Result("Luma route against a bare DRF view", speed / base, "×", bar=0.5),
        Result("answers other than 200", wrong, "", bar=0, sense="at_most"),
        Result("accepted and not stored, or stored twice", lost, "", bar=0, sense="at_most"),
    ]


@contextmanager
def _body() -> Iterator[str]:
    """The name of a file with the document's own request."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as body:
        body.write(SEED)
        body.flush()
        yield body.name
