"""Luma's route against a bare DRF view with one insert: same server, settings and middlewares.

Only the web server runs: what is sent afterwards is the other rows' matter, and the workers
would take the processors from both alike. The hints are given all the same.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO

from tests.bench.place import ROOT
from tests.bench.result import Result
from tests.support.installation import free_port
from tests.support.luma import PATH, SEED

CONNECTIONS = 16
ROUNDS = 3  # of each, in turns: a machine is not equally fast all the time
SECONDS = 4  # a round
WARM_UP = 2  # seconds


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw; the percentiles are in milliseconds."""

    answers: int
    seconds: float
    refused: int
    broken: int
    p50: float
    p99: float


def measure(scale: float) -> list[Result]:
    from django.conf import settings
    from django.core.management import call_command

    from notifications.models import Notification
    from project.access.models import ApiClient

    said = StringIO()
    call_command("demo", json=True, stdout=said)
    token = json.loads(said.getvalue())["luma"]["api_token"]
    ApiClient.objects.update(rate_limit=1_000_000_000)  # counted, but never reached
    _make_table()
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    before = Notification.objects.count()
    seconds = max(1, round(SECONDS * scale))
    ours: list[Load] = []
    bare: list[Load] = []
    warm = 0
    with server("project.settings") as luma, server("tests.bench.bare_settings") as plain:
        warm = load(luma, token, WARM_UP).answers
        load(plain, token, WARM_UP)
        for _ in range(ROUNDS):
            bare.append(load(plain, token, seconds))
            ours.append(load(luma, token, seconds))
    stored = Notification.objects.count() - before
    answered = warm + sum(each.answers for each in ours)
    # What was under way when a round ended was accepted as well, though nobody read the answer.
    under_way = (ROUNDS + 1) * CONNECTIONS
    wrong = sum(each.refused + each.broken for each in [*ours, *bare])
    lost = max(0, answered - stored) + max(0, stored - answered - under_way)
    speed, base = _rate(ours), _rate(bare)
    return [
        Result("bare DRF view, one insert", base, "requests/s", note=_note(bare)),
        Result("Luma route", speed, "requests/s", note=_note(ours)),
        Result("Luma route against a bare DRF view", speed / base, "×", bar=0.5),
        Result("answers other than 200", wrong, "", bar=0, sense="at_most"),
        Result("accepted and not stored, or stored twice", lost, "", bar=0, sense="at_most"),
    ]


@contextmanager
def server(settings: str) -> Iterator[str]:
    """The web server, as `manage.py run` starts it; yields the route's address."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "web"],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": settings, "PORT": str(port)},
    )
    try:
        ends = time.monotonic() + 60
        while not _is_up(port):
            if time.monotonic() > ends:
                raise TimeoutError(f"the web server with {settings} is not up after a minute")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}{PATH}"
    finally:
        process.terminate()
        process.wait(30)


def load(url: str, token: str, seconds: int) -> Load:
    """Post the document's own request over and over."""
    program = shutil.which("wrk")
    if program is None:
        sys.exit("The bench needs wrk. On Debian and Ubuntu: apt-get install wrk")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as body:
        body.write(SEED)
        body.flush()
        done = subprocess.run(
            [
                *(program, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "20s"),
                *("-s", str(ROOT / "tests/bench/load.lua"), url),
            ],
            env={**os.environ, "BENCH_BODY": body.name, "BENCH_TOKEN": token},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return Load(**json.loads(done.stdout.splitlines()[-1]))


def _make_table() -> None:
    """Make the bare view's table, which belongs to no migration."""
    from django.db import connection

    from tests.bench.bare_urls import Line

    with connection.schema_editor() as editor:
        editor.create_model(Line)


def _is_up(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True  # it answers
    except OSError:
        return False


def _rate(loads: list[Load]) -> float:
    return sum(each.answers for each in loads) / sum(each.seconds for each in loads)


def _note(loads: list[Load]) -> str:
    return f"p50 {max(x.p50 for x in loads):.0f} ms, p99 {max(x.p99 for x in loads):.0f} ms"
