"""Workers killed with SIGKILL in the middle of a send, and started again."""

from pathlib import Path

import pytest

from channels_app.dispatch.drain import WINDOW
from tests.support.books import assert_all_sent, open_rows, wait_until_settled
from tests.support.installation import Installation, installation, wait_for_end
from tests.support.receiver import Answer, Receiver

pytestmark = pytest.mark.processes

PEOPLE = 3000
LEASE = 8  # seconds; shorter than in earnest


def test_nothing_is_lost_and_each_repeat_is_an_attempt(
    tmp_path: Path, tables: Installation
) -> None:
    hurried = {"DJANGO_SETTINGS_MODULE": "tests.support.hurried", "CARILLON_TEST_LEASE": str(LEASE)}
    with (
        installation(tmp_path, like=tables, **hurried) as where,
        Receiver(lambda request: Answer(delay=0.2)) as receiver,
    ):
        killed = where.start("worker")
        killed.wait_until_it_works()
        where.python(f"from tests.support.load import *; send_to({PEOPLE}, '{receiver.url}')")
        receiver.wait_for(PEOPLE // 5, 60)
        family = killed.tree()
        for process in family:  # all at once, as in a power cut
            process.kill()
        killed.process.wait(60)
        wait_for_end(family)
        assert open_rows(where), "it was over before the workers were killed"

        where.start("worker")
        wait_until_settled(where, rows=PEOPLE, seconds=LEASE + 120)
        read = assert_all_sent(where, receiver.requests, rows=PEOPLE)
        assert 0 < read.cut_off <= WINDOW
