"""Loops killed with SIGKILL again and again, under load, at moments that nobody chose."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from project.receiver.requests import Received
from tests.support.books import assert_all_sent, open_rows, wait_until_settled
from tests.support.installation import (
    Installation,
    Running,
    descendants,
    installation,
    wait_for_end,
)
from tests.support.receiver import Answer, Receiver
from tests.support.workers import ROOT, wait_for

pytestmark = pytest.mark.processes

PEOPLE = 1000
PLACES = 64  # of the channel, in each loop
KILLS = 50
LOOPS = 2  # the host's dispatch loops, as many as it may have
# Seconds. Half of what it is in earnest, so that rows are cut off more than once; but long enough
# for none to be cut off five times meanwhile, after which it would be given up.
LEASE = 15
PACE = 15  # the retry plan takes so much less time


@contextmanager
def loops(where: Installation, folder: Path) -> Iterator[Running]:
    """Dispatch loops that are replaced as soon as they are killed."""
    log = folder / "loops.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.drains", str(LOOPS)],
            cwd=ROOT,
            env=where.environment,
            stdout=out,
            stderr=out,
        )
    try:
        yield Running(process, log)
    finally:
        family = descendants(process.pid)
        process.kill()
        process.wait(30)
        for one in family:
            one.kill()


def keep_loaded(where: Installation, enough: threading.Event) -> int:
    """Send whenever little is left; returns how many deliveries that made in all."""
    made = 0
    while not enough.is_set():
        if open_rows(where) < PEOPLE:
            where.python("from tests.support.load import *; send_unheard()")
            made += PEOPLE
        enough.wait(0.5)
    return made


def kill_one(running: Running, chance: random.Random) -> None:
    time.sleep(chance.uniform(0.05, 0.5))  # the moment that nobody chose
    wait_for(lambda: len(running.tree()) == LOOPS + 1, seconds=30, what="all loops")
    killed = chance.choice(running.tree()[1:])
    killed.kill()
    wait_for_end([killed])


def test_fifty_kills_lose_nothing_and_repeat_no_more_than_was_under_way(
    tmp_path: Path, tables: Installation
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # noqa: T201 - shown where it fails
    chance, delays = random.Random(seed), random.Random(seed)
    enough = threading.Event()

    def answer(request: Received) -> Answer:
        return Answer() if enough.is_set() else Answer(delay=delays.uniform(0.1, 0.8))

    hurried = {
        "DJANGO_SETTINGS_MODULE": "tests.support.hurried",
        "CARILLON_TEST_LEASE": str(LEASE),
        "CARILLON_TEST_PACE": str(PACE),
    }
    with (
        installation(tmp_path, like=tables, CARILLON_DRAINS=str(LOOPS), **hurried) as where,
        Receiver(answer) as receiver,
        ThreadPoolExecutor(1) as beside,
    ):
        where.python(
            "from tests.support.load import *;"
            f"people({PEOPLE}); channel('{receiver.url}', max_in_flight={PLACES}); send_unheard()"
        )
        with loops(where, tmp_path) as running:
            loading = beside.submit(keep_loaded, where, enough)
            try:
                receiver.wait_for(PEOPLE // 20, 60)
                for _ in range(KILLS):
                    kill_one(running, chance)
            finally:
                enough.set()
            rows = PEOPLE + loading.result()
            wait_until_settled(where, rows=rows, seconds=180)
        read = assert_all_sent(where, receiver.requests, rows=rows)
        assert KILLS < read.cut_off <= KILLS * PLACES
