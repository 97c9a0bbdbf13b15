"""Two hosts with workers; one is cut off in the middle of a send, and joined again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from channels_app.dispatch.drain import WINDOW
from tests.support.books import assert_all_sent, open_rows, wait_until_settled
from tests.support.hosts import Host, network
from tests.support.installation import Installation, fresh_database
from tests.support.receiver import Answer, Receiver
from tests.support.services import postgres_server, redis_server
from tests.support.workers import wait_for

pytestmark = [pytest.mark.processes, pytest.mark.postgres, pytest.mark.redis]

PEOPLE = 2500
# Seconds. A lease is 30, a vanished peer is found within 30, and a hint lost by it in a minute.
LEASE, GONE, SWEEP = 30, 30, 60
LOCKS_BOOKS = """
import time
from pathlib import Path
from django.db import transaction
from channels_app.models import Tally
print("ready", flush=True)
while not Path({go!r}).exists():
    time.sleep(0.01)
with transaction.atomic():
    list(Tally.objects.select_for_update())
    print("locked", flush=True)
    time.sleep(600)
"""


@contextmanager
def two_hosts(folder: Path) -> Iterator[tuple[list[Host], list[Installation], str]]:
    """Yields the hosts, the installation on each, and the bridge's address."""
    with (
        network() as net,
        postgres_server(host=net.address, network=net.cidr) as postgres,
        redis_server(host=net.address) as redis,
        fresh_database(postgres.url) as database,
    ):
        keys = {
            "SECRET_KEY": "the same on both hosts",
            "CARILLON_FERNET_KEYS": Fernet.generate_key().decode(),
            "REDIS_URL": redis.url,
            "CARILLON_ALLOWED_NETWORKS": net.cidr,
        }
        hosts = [net.add(), net.add()]
        installed = []
        for host in hosts:
            data = folder / host.name
            data.mkdir()
            installed.append(Installation(data, database, within=host.within, **keys))
        try:
            installed[0].must("migrate")
            yield hosts, installed, net.address
        finally:
            for installation in installed:
                installation.end()


def both_at_work(here: Installation, there: Installation) -> bool:
    """Whether both send; else hint at it again: whoever is quicker takes the hints."""
    if here.loops and there.loops:
        return True
    here.python("from channels_app.tasks import wake; [wake() for _ in range(8)]")
    return False


def test_a_host_that_is_cut_off_and_rejoins_costs_no_more_than_its_window(tmp_path: Path) -> None:
    with (
        two_hosts(tmp_path) as (hosts, (here, there), address),
        Receiver(lambda request: Answer(delay=0.8), host=address) as receiver,
    ):
        workers = [here.start("worker"), there.start("worker")]
        for worker in workers:
            worker.wait_until_it_works()
        # The worst moment to vanish: with the books locked, which all others have to write to.
        go = tmp_path / "go"
        locking = there.start("shell", "--no-imports", "-c", LOCKS_BOOKS.format(go=str(go)))
        locking.wait_until_it_says("ready")
        first = int(
            here.python(
                f"from tests.support.load import *; print(send_to({PEOPLE}, '{receiver.url}'))"
            )
        )
        receiver.wait_for(1, 60)
        wait_for(lambda: both_at_work(here, there), seconds=30, what="loops on both hosts")
        go.touch()
        locking.wait_until_it_says("locked")
        hosts[1].cut_off()
        assert open_rows(here, first), "it was over before the host was cut off"
        wait_until_settled(here, pk=first, rows=PEOPLE, seconds=LEASE + GONE + SWEEP)
        hosts[1].rejoin()
        cut_off = assert_all_sent(here, receiver.requests, rows=PEOPLE).cut_off
        assert 0 < cut_off <= WINDOW

        # Who was away works again, now alone.
        assert workers[0].stop() == 0
        here.python("from tests.support.load import *; send()")
        wait_until_settled(here, rows=2 * PEOPLE, seconds=GONE + SWEEP + 60)
        assert workers[1].process.poll() is None, workers[1].said
        assert assert_all_sent(here, receiver.requests, rows=2 * PEOPLE).cut_off == cut_off
