"""A receiver that never answers: its channel's share of the window is all that it holds."""

from pathlib import Path

import pytest

from channels_app.dispatch.drain import WINDOW
from tests.support.installation import Installation, installation
from tests.support.receiver import Answer, Receiver
from tests.support.workers import wait_for

pytestmark = pytest.mark.processes

PEOPLE = 1500
SENDS = f"""
from tests.support.load import *
people({PEOPLE})
channel("{{silent}}", name="Silent")
channel("{{quick}}", name="Quick")
send_unheard("Silent")
wake()
"""


def test_a_receiver_that_never_answers_holds_up_nobody_else(
    tmp_path: Path, tables: Installation
) -> None:
    with (
        installation(tmp_path, like=tables) as where,
        Receiver(lambda request: Answer(until=lambda: False)) as silent,
        Receiver() as quick,
    ):
        worker = where.start("worker")
        worker.wait_until_it_works()
        where.python(SENDS.format(silent=silent.url, quick=quick.url))
        wait_for(lambda: len(silent.requests) > 0, seconds=60, what="the silent one's requests")
        where.python("from tests.support.load import *; send_unheard('Quick'); wake()")
        # Each of the silent one's requests outlasts all of this.
        quick.wait_for(PEOPLE, 60)
        held = where.query(
            "SELECT COUNT(*) FROM channels_app_delivery WHERE state = 'sending' AND channel_id ="
            " (SELECT id FROM channels_app_channel WHERE name = 'Silent')"
        )[0][0]
        assert 0 < held <= WINDOW // 2
