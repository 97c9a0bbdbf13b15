"""`make bench`: how fast the engine is, as a ratio to a plain django-q2 task per recipient.

Both run in the same workers on the same rows against the same receiver, one after the other.
SQLite by default; PostgreSQL and Redis where DATABASE_URL and REDIS_URL are set (a database of
its own is made and dropped).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parent.parent.parent
BAR = 2.0  # times the baseline; what must hold


@contextmanager
def database(data: str) -> Iterator[str]:
    """A database of the bench's own, as a URL."""
    given = os.environ.get("DATABASE_URL", "")
    if not given.startswith("postgres"):
        yield f"sqlite:///{data}/bench.sqlite3"
        return
    import psycopg
    from psycopg import sql

    name = f"carillon_bench_{os.getpid()}"
    with psycopg.connect(given, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlunsplit(urlsplit(given)._replace(path=f"/{name}"))
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            server.execute(drop)


@contextmanager
def workers() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "manage.py", "worker"], cwd=ROOT)
    try:
        time.sleep(3)  # both sides find them started
        yield
    finally:
        process.terminate()
        process.wait(30)


def engine(pk: int) -> float:
    """Seconds from the hint to the last settled delivery."""
    from channels_app.tasks import wake

    began = time.monotonic()
    wake()
    wait(pk)
    return time.monotonic() - began


def task_each(pk: int) -> float:
    """The same with a task per delivery, the engine looking away."""
    from django_q.tasks import async_task

    from channels_app.models import Delivery

    began = time.monotonic()
    for row in Delivery.objects.of_origin("bench", pk).values_list("pk", flat=True):
        async_task("tests.bench.baseline.send_one", row)
    wait(pk)
    return time.monotonic() - began


def wait(pk: int) -> None:
    from channels_app.models import Tally

    while Tally.objects.get(origin_kind="bench", origin_id=pk).open:
        time.sleep(0.05)


def queue(pk: int, count: int) -> None:
    """Put ``count`` deliveries of one origin into the queue, without a hint."""
    from django.utils import timezone

    from channels_app.models import Channel, Delivery
    from channels_app.services import enqueue, open_books

    channel = Channel.objects.select_related("tenant").get(name="Webhook")
    now = timezone.now()
    open_books(channel.tenant, "bench", pk)
    rows = [
        Delivery(
            tenant=channel.tenant,
            channel=channel,
            origin_kind="bench",
            origin_id=pk,
            recipient_id=number,
            recipient=f"u{number}@load.example",
            address=f"u{number}@load.example",
            payload={"type": "TEXT", "text": f"Hello {number}"},
            due_at=now,
            deadline=now + timedelta(hours=4),
        )
        for number in range(count)
    ]
    enqueue(rows, kind="bench", pk=pk)


def run(people: int) -> bool:
    import django

    django.setup()
    from django.core.management import call_command

    from channels_app.models import Channel
    from tests.support.receiver import Receiver

    call_command("migrate", verbosity=0)
    with Receiver() as receiver, Path(os.devnull).open("w") as nowhere:
        call_command("demo", callback_url=f"{receiver.url}/hook", stdout=nowhere)
        channel = Channel.objects.filter(name="Webhook")
        with workers():
            queue(1, people)
            ours = people / engine(1)
            channel.update(is_active=False)  # the engine leaves the baseline's rows alone
            queue(2, people)
            plain = people / task_each(2)
        received = len(receiver.requests)
    print(f"{'webhook fan-out, queued to settled':40} {'a second':>10} {'ratio':>7}")
    print(f"{'django-q2 task per recipient':40} {plain:10,.0f} {1:7.1f}")
    print(f"{'dispatch engine':40} {ours:10,.0f} {ours / plain:7.1f}")
    if received != 2 * people:
        print(f"{received:,} requests arrived, {2 * people:,} were due.")
        return False
    return ours / plain >= BAR


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=3000)
    people = parser.parse_args().people
    with tempfile.TemporaryDirectory() as data, database(data) as url:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "DATABASE_URL": url,
            "CARILLON_DATA": data,
            "PYTHONPATH": str(ROOT),
        }
        return 0 if run(people) else 1


if __name__ == "__main__":
    sys.exit(main())
