"""All hints are lost: the workers' clock finds what is to be done."""

from pathlib import Path

import pytest

from tests.support.books import assert_all_sent, wait_until_settled
from tests.support.installation import installation
from tests.support.receiver import Receiver

pytestmark = pytest.mark.processes

PEOPLE = 300
SWEEP = 95  # seconds: the clock looks each half minute for what is due each minute
# Hints go to a queue that nobody reads.
UNHEARD = "from django_q.conf import Conf; Conf.CLUSTER_NAME = Conf.PREFIX = 'nobody';"


def test_what_nobody_was_told_of_is_found_within_a_sweep(tmp_path: Path) -> None:
    with installation(tmp_path) as where, Receiver() as receiver:
        where.must("migrate")
        worker = where.start("worker")
        worker.wait_until_it_works()
        load = "from tests.support.load import *;"
        where.python(f"{UNHEARD}{load}people({PEOPLE}); channel('{receiver.url}'); send_unheard()")
        where.python(f"{UNHEARD}{load}send()")  # not even begun
        assert not receiver.requests
        wait_until_settled(where, rows=2 * PEOPLE, seconds=SWEEP + 30)
        assert assert_all_sent(where, receiver.requests, rows=2 * PEOPLE).cut_off == 0
