"""All hints are lost: the workers' clock finds what is to be done within a minute."""

from pathlib import Path

import pytest

from tests.support.books import assert_all_sent, wait_until_settled
from tests.support.installation import Installation, installation
from tests.support.receiver import Receiver

pytestmark = pytest.mark.processes

PEOPLE = 300
SWEEP = 60  # seconds within which what was lost is found
SLACK = 10  # for the sending itself, on a busy machine
# Hints go to a queue that nobody reads.
UNHEARD = "from django_q.conf import Conf; Conf.CLUSTER_NAME = Conf.PREFIX = 'nobody';"


def test_what_nobody_was_told_of_is_found_within_a_minute(
    tmp_path: Path, tables: Installation
) -> None:
    with installation(tmp_path, like=tables) as where, Receiver() as receiver:
        worker = where.start("worker")
        worker.wait_until_it_works()
        load = "from tests.support.load import *;"
        where.python(f"{UNHEARD}{load}people({PEOPLE}); channel('{receiver.url}'); send_unheard()")
        where.python(f"{UNHEARD}{load}send()")  # not even begun
        assert not receiver.requests
        wait_until_settled(where, rows=2 * PEOPLE, seconds=SWEEP + SLACK)
        assert assert_all_sent(where, receiver.requests, rows=2 * PEOPLE).cut_off == 0
