"""A loop that has its hands full calls for another: one hint may have come for all there is."""

from pathlib import Path

import pytest

from tests.support.channels import make_rsa_key
from tests.support.installation import Installation, installation
from tests.support.receiver import Receiver
from tests.support.workers import wait_for

pytestmark = pytest.mark.processes

PEOPLE = 1500
# Each message takes some milliseconds to sign, and so the whole of one processor.
SENDS = f"""
from tests.support.load import *
people({PEOPLE})
made = channel("{{url}}")
made.keep_secrets({{{{**made.secrets, "private_key": '''{{key}}'''}}}})
made.save()
send_unheard()
wake()
"""
SENDING = "SELECT DISTINCT holder FROM channels_app_delivery WHERE state = 'sending'"


def test_one_hint_for_much_work_sets_both_loops_going(tmp_path: Path, tables: Installation) -> None:
    seen: set[str] = set()
    with installation(tmp_path, like=tables) as where, Receiver() as receiver:
        worker = where.start("worker")
        worker.wait_until_it_works()
        where.python(SENDS.format(url=receiver.url, key=make_rsa_key(4096)[0]))

        def both() -> bool:
            seen.update(holder for (holder,) in where.query(SENDING))
            return len(seen) > 1

        wait_for(both, seconds=15, what="a second loop")  # before the sweep hints at them
        receiver.wait_for(PEOPLE, 60)
