"""The delivery log with a million deliveries: every page in time, and nothing counted."""

import re
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from urllib.parse import urljoin

import requests

from tests.bench.console import passwords, signed_in, web
from tests.bench.large_log import LargeLog, make
from tests.bench.log_pages import LOG, kinds
from tests.bench.result import Result

DELIVERIES = 1_000_000
FOLLOWED = 30  # pages, from one to the next
_NEXT = re.compile(r'rel="next" href="([^"]+)"')
# A count of one notification's rows goes over one index and is remembered (Progress.rows).
_COUNTED = re.compile(r"COUNT\(.*FROM \"channels_app_(delivery|attempt)\"", re.DOTALL)
_OF_ONE = re.compile(r'"origin_id" = ')
Times = dict[str, list[float]]  # seconds by kind of page


def measure(scale: float) -> list[Result]:
    log = make(int(DELIVERIES * scale))
    keys = passwords() | {"watcher": small_tenants_auditor(log)}
    pages = list(kinds(log))
    with web() as (hub, _):
        auditor, admin, watcher = (
            signed_in(hub.url, name, keys[name]) for name in ("auditor", "admin", "watcher")
        )
        for session in (auditor, admin, watcher):  # the server has read its templates
            session.get(f"{hub.url}{LOG}", timeout=60)
        times: Times = defaultdict(list)
        for name, addresses in pages:
            for address in addresses:
                times[name].append(seconds(auditor, hub.url + address))
        times["followed"] = list(followed(admin, hub.url + LOG))
        for query in ("", "?state=failed", "?state=cancelled", "?at=oldest", "?since=2020-01-01"):
            times["a small tenant's"].append(seconds(watcher, hub.url + LOG + query))
    return [*timed(log, times), *counted(pages)]


def small_tenants_auditor(log: LargeLog) -> str:
    """Make one; returns the password."""
    from django.contrib.auth.models import Group

    from project.access.models import User

    watcher = User.objects.create_user("watcher", password="w4tcher-of-few", tenant=log.small)
    watcher.is_staff = True
    watcher.save()
    watcher.groups.add(Group.objects.get(name="Auditor"))
    return "w4tcher-of-few"


def seconds(session: requests.Session, url: str) -> float:
    began = time.perf_counter()
    answer = session.get(url, timeout=300)
    took = time.perf_counter() - began
    assert answer.status_code in (200, 286), f"{answer.status_code} for {url}"
    return took


def followed(session: requests.Session, url: str) -> Iterator[float]:
    """Go from page to page by the link to what is older."""
    for _ in range(FOLLOWED):
        began = time.perf_counter()
        answer = session.get(url, timeout=300)
        yield time.perf_counter() - began
        if not (link := _NEXT.search(answer.text)):
            return
        url = urljoin(url, link[1].replace("&amp;", "&"))


def timed(log: LargeLog, times: Times) -> list[Result]:
    every = sorted(took for some in times.values() for took in some)
    slowest = max(times, key=lambda name: max(times[name]))
    size = f"{log.deliveries:,} deliveries, {log.attempts:,} attempts, {len(every)} pages"
    return [
        Result(
            "log, page at the 95th percentile",
            1000 * share(every, 0.95),
            "ms",
            bar=300,
            sense="at_most",
            note=f"{size}; median {1000 * share(every, 0.5):.0f} ms",
        ),
        Result(
            "log, slowest page",
            1000 * every[-1],
            "ms",
            note=f"{slowest}: {len(times[slowest])} of them, median"
            f" {1000 * share(sorted(times[slowest]), 0.5):.0f} ms",
        ),
    ]


def share(ordered: list[float], part: float) -> float:
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


def counted(pages: list[tuple[str, list[str]]]) -> list[Result]:
    """What each kind of page asks of the database, told by one page of it."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from project.access.models import User

    clients = []
    for name in ("admin", "auditor"):
        client = Client(SERVER_NAME="localhost")
        client.force_login(User.objects.get(username=name))
        clients.append(client)
    most, where, full = 0, "", []
    for name, addresses in pages:
        for address, client in islice(((a, c) for a in addresses for c in clients), 4):
            with CaptureQueriesContext(connection) as asked:
                client.get(address)
            if len(asked) > most:
                most, where = len(asked), name
            full += [query["sql"] for query in asked if is_full_count(query["sql"])]
    return [
        Result("log, queries of a page", most, "", bar=12, sense="at_most", note=where),
        Result(
            "log, full counts", len(full), "", bar=0, sense="at_most", note="".join(full[:1])[:200]
        ),
    ]


def is_full_count(sql: str) -> bool:
    return bool(_COUNTED.search(sql)) and not _OF_ONE.search(sql)
