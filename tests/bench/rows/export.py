"""The log's export as CSV: begins at once, and takes no more memory for being long."""

import csv
import time
from typing import Any

import requests

from tests.bench.console import passwords, signed_in, web
from tests.bench.large_log import make
from tests.bench.log_pages import LOG
from tests.bench.proc import memory, pids
from tests.bench.result import Result
from tests.support.installation import Running

DELIVERIES = 1_000_000
PIECE = 1 << 16  # bytes read at once
EVERY = 0.5  # seconds between two looks at the memory
STALLED = 20.0  # seconds that clients do not read on


def measure(scale: float) -> list[Result]:
    log = make(int(DELIVERIES * scale))
    rows = rows_of(log.tenant)
    keys = passwords()
    with web() as (hub, running):
        auditor = signed_in(hub.url, "auditor", keys["auditor"])
        # The first export loads what later ones share.
        auditor.get(f"{hub.url}{LOG}export/?recipient=nobody", timeout=60).raise_for_status()
        whole = read(auditor, f"{hub.url}{LOG}export/", running, rows)
        left = leave(auditor, f"{hub.url}{LOG}export/", running)
    return [*whole, *left]


def rows_of(tenant: Any) -> int:
    """All of its deliveries, replays among them."""
    from channels_app.models import Delivery

    return Delivery.objects.filter(tenant=tenant).count()


def resident(running: Running) -> float:
    """MB of the web server's processes."""
    return memory(pids(running))[1]


def read(session: requests.Session, url: str, running: Running, rows: int) -> list[Result]:
    """Read it to its end, as fast as it comes."""
    began = time.monotonic()
    first, size, lines, last = 0.0, 0, 0, b""
    seen: list[tuple[int, float]] = []  # (bytes read, MB)
    looked = 0.0
    with session.get(url, stream=True, timeout=120) as answer:
        answer.raise_for_status()
        for piece in answer.iter_content(PIECE):
            first = first or time.monotonic() - began
            size += len(piece)
            lines += piece.count(b"\n")
            last = (last + piece)[-4000:]
            if time.monotonic() - looked > EVERY:
                looked = time.monotonic()
                seen.append((size, resident(running)))
    from channels_app.log.export import COLUMNS

    took = time.monotonic() - began
    seen.append((size, resident(running)))
    (cells,) = csv.reader([last.decode("utf-8", "replace").split("\r\n")[-2]])
    whole = last.endswith(b"\r\n") and len(cells) == len(COLUMNS)
    settled = [mb for read_by_then, mb in seen if read_by_then >= size / 10]
    return [
        Result("export, first byte", first, "s", bar=1, sense="at_most"),
        Result(
            "export, memory growth",
            max(settled) - settled[0],
            "MB",
            bar=20,
            sense="at_most",
            note=f"RSS from the first tenth on; at most {max(settled):.0f} MB",
        ),
        Result("export, speed", rows / took, "rows/s", note=f"{rows:,} rows, {size / 1e6:,.0f} MB"),
        Result(
            "export, rows missing",
            abs(rows + 1 - lines) + (not whole),
            "",
            bar=0,
            sense="at_most",
            note=f"{lines:,} lines",
        ),
    ]


def leave(session: requests.Session, url: str, running: Running) -> list[Result]:
    """Stop reading so many exports as the server has threads: what it holds, and if it answers."""
    from django.conf import settings

    answers = []
    for _ in range(settings.WEB_THREADS):
        answers.append(requests.get(url, cookies=session.cookies, stream=True, timeout=120))
        for _, _piece in zip(range(20), answers[-1].iter_content(PIECE), strict=False):
            pass
    before = resident(running)
    ends, most, held, page = time.monotonic() + STALLED, before, 0, 0.0
    while time.monotonic() < ends:
        time.sleep(EVERY)
        began = time.monotonic()
        session.get(url.removesuffix("export/"), timeout=60).raise_for_status()
        page = max(page, time.monotonic() - began)
        most, held = max(most, resident(running)), held + transactions()
    for answer in answers:
        answer.close()
    what = f"{len(answers)} exports that nobody reads on"
    return [
        Result(
            f"{what}, memory growth",
            most - before,
            "MB",
            bar=20,
            sense="at_most",
            note=f"over {STALLED:.0f} s",
        ),
        Result(f"{what}, open transactions", held, "", bar=0, sense="at_most"),
        Result(f"{what}, slowest page beside them", page, "s", bar=1, sense="at_most"),
    ]


def transactions() -> int:
    """How many of the server's transactions are open."""
    from django.db import connection

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"
            )
            return int(cursor.fetchone()[0])
        # A reader's transaction is what keeps the journal from being emptied.
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return int(cursor.fetchone()[0])
