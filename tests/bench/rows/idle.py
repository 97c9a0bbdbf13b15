"""An idle hub, as `manage.py run --demo` starts it: what it takes while nobody sends anything."""

import json
import os
import time
from pathlib import Path

from tests.bench.console import signed_in
from tests.bench.proc import memory, pids, taken
from tests.bench.result import Result
from tests.support.installation import Installation, Running

SETTLING, LOOKED_AT, SHORTEST = 30.0, 60.0, 20.0  # seconds


def measure(scale: float) -> list[Result]:
    hub = Installation(Path(os.environ["CARILLON_DATA"]), os.environ["DATABASE_URL"])
    try:
        running = hub.start("run", "--demo")
        running.wait_until_it_says("Carillon is up")
        use(hub)
        time.sleep(SETTLING)  # a start sweeps, and makes its connections
        return look(running, max(LOOKED_AT * scale, SHORTEST))
    finally:
        hub.end()


def use(hub: Installation) -> None:
    """Open some pages: whoever looks at an idle hub has, and what they need stays in memory."""
    found = json.loads(hub.must("demo", "--json"))["admin"]
    admin = signed_in(hub.url, found["username"], found["password"])
    for page in ("", "channels_app/delivery/", "notifications/notification/add/"):
        admin.get(f"{hub.url}/admin/{page}", timeout=60).raise_for_status()


def look(running: Running, seconds: float) -> list[Result]:
    """Watch it for so long; a minute holds some rounds of the sweeps."""
    began, before = time.monotonic(), taken(running)
    time.sleep(seconds)
    after, took = taken(running), time.monotonic() - began
    percent = 100 * (after - before) / took
    tree = pids(running)
    pss, rss = memory(tree)
    return [
        Result(
            "idle hub, CPU of one core", percent, "%", bar=2, sense="at_most", note=f"{took:.0f} s"
        ),
        Result(
            "idle hub, memory",
            pss,
            "MB",
            bar=350,
            sense="at_most",
            note=f"PSS of {len(tree)} processes, which share pages by fork; RSS adds up to"
            f" {rss:.0f} MB",
        ),
    ]
