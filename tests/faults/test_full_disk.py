"""A disk that is full for a while, under the one file that holds everything."""

import resource
from pathlib import Path

import pytest

from channels_app.dispatch.drain import WINDOW
from tests.support.books import assert_all_sent, open_rows, wait_until_settled
from tests.support.installation import Running, installation
from tests.support.receiver import Answer, Receiver

pytestmark = pytest.mark.processes

PEOPLE = 1500
FULL = 1 << 16  # bytes; no file can be written to beyond
LEASE, SWEEP = 30, 60  # seconds until a lost row is found, and lost hints are


def give_room(worker: Running, size: int) -> None:
    """Let none of the worker's processes write beyond ``size``; needs no rights."""
    for process in worker.tree():
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, hard))


def test_work_goes_on_by_itself_once_there_is_room_again(tmp_path: Path) -> None:
    with (
        installation(tmp_path, server="") as where,  # SQLite, whatever else the tests run on
        Receiver(lambda request: Answer(delay=0.3)) as receiver,
    ):
        where.must("migrate")
        worker = where.start("worker")
        worker.wait_until_it_works()
        where.python(f"from tests.support.load import *; send_to({PEOPLE}, '{receiver.url}')")
        receiver.wait_for(PEOPLE // 5, 60)
        give_room(worker, FULL)
        assert open_rows(where), "it was over before the disk was full"
        worker.wait_until_it_says("The database did not answer", times=4)
        give_room(worker, resource.RLIM_INFINITY)
        wait_until_settled(where, rows=PEOPLE, seconds=LEASE + SWEEP + 60)
        assert worker.process.poll() is None, worker.said
        read = assert_all_sent(where, receiver.requests, rows=PEOPLE)
        assert read.cut_off <= WINDOW
