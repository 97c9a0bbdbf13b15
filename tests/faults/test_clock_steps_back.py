"""One loop's clock is set back by ten minutes in the middle of a send; the other's is right."""

from pathlib import Path

import pytest

from tests.faults.test_killed_at_random import LOOPS, loops
from tests.support.books import assert_all_sent, open_rows, wait_until_settled
from tests.support.installation import Installation, installation
from tests.support.receiver import Answer, Receiver
from tests.support.workers import wait_for

pytestmark = pytest.mark.processes

PEOPLE = 500
BACK = -600  # seconds
LEASE = 30


def test_a_clock_that_steps_back_loses_nothing(tmp_path: Path, tables: Installation) -> None:
    clocks = tmp_path / "clocks"
    clocks.mkdir()
    hurried = {
        "DJANGO_SETTINGS_MODULE": "tests.support.hurried",
        "CARILLON_TEST_CLOCKS": str(clocks),
    }
    with (
        installation(tmp_path, like=tables, **hurried) as where,
        Receiver(lambda request: Answer(delay=1.5)) as receiver,
    ):
        with loops(where, tmp_path) as running:
            wait_for(lambda: len(running.tree()) == LOOPS + 1, seconds=30, what="all loops")
            where.python(
                "from tests.support.load import *;"
                f"people({PEOPLE}); channel('{receiver.url}'); send_unheard()"
            )
            wait_for(lambda: where.loops == LOOPS, seconds=30, what="both at work")
            receiver.wait_for(PEOPLE // 4, 60)
            stepped = clocks / str(running.tree()[1].pid)
            stepped.write_text(str(BACK))
            wait_for(lambda: not stepped.exists(), seconds=30, what="the clock's step")
            assert open_rows(where), "it was over before the clock stepped back"
            wait_until_settled(where, rows=PEOPLE, seconds=2 * LEASE + 60)
        # Its leases are still those of before.
        assert assert_all_sent(where, receiver.requests, rows=PEOPLE).cut_off == 0
