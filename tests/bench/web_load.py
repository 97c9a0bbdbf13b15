"""The web server under wrk, and the bare DRF view that routes are held against.

Only the web server runs: what is done afterwards is other rows' matter, and the workers would
take the processors from both alike. The hints are given all the same.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.bench.place import ROOT
from tests.support.installation import free_port

CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw; the percentiles are in milliseconds."""

    answers: int
    seconds: float
    refused: int
    broken: int
    p50: float
    p99: float


@contextmanager
def server(settings: str) -> Iterator[str]:
    """The web server, as `manage.py run` starts it; yields its address."""
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
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def load(url: str, script: str, seconds: int, **environ: str) -> Load:
    """Post what a script of this folder says over and over."""
    program = shutil.which("wrk")
    if program is None:
        sys.exit("The bench needs wrk. On Debian and Ubuntu: apt-get install wrk")
    done = subprocess.run(
        [
            *(program, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "20s"),
            *("-s", str(ROOT / "tests/bench" / script), url),
        ],
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Load(**json.loads(done.stdout.splitlines()[-1]))


def make_bare_table() -> None:
    """Make the bare view's table, which belongs to no migration."""
    from django.conf import settings
    from django.db import connection

    from tests.bench.bare_urls import Line

    with connection.schema_editor() as editor:
        editor.create_model(Line)
    settings.STATIC_ROOT.mkdir(exist_ok=True)


def rate(loads: list[Load]) -> float:
    """Answers a second."""
    return sum(each.answers for each in loads) / sum(each.seconds for each in loads)


def percentiles(loads: list[Load]) -> str:
    return f"p50 {max(x.p50 for x in loads):.0f} ms, p99 {max(x.p99 for x in loads):.0f} ms"


def _is_up(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True  # it answers
    except OSError:
        return False
