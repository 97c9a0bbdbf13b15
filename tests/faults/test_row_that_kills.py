"""A delivery that kills its worker each time: it is given up, and takes nobody with it."""

from collections import Counter
from pathlib import Path

import pytest

from channels_app.dispatch.retry import MOST_CUT_OFF
from tests.faults.test_killed_at_random import loops
from tests.support.books import books, tries_received, wait_until_settled
from tests.support.hurrying import KILL
from tests.support.installation import Installation, installation
from tests.support.receiver import Answer, Receiver

pytestmark = pytest.mark.processes

PEOPLE = 200
HURRIED = {
    "DJANGO_SETTINGS_MODULE": "tests.support.hurried",
    "CARILLON_TEST_LEASE": "2",
    "CARILLON_TEST_PACE": "60",  # a minute's wait is a second
}
SENDS = f"""
from tests.support.load import *
people({PEOPLE})
channel("{{url}}")
channel("{{url}}", name="Other")
send_unheard()
bad = Delivery.objects.order_by("pk")[{PEOPLE // 2}]
bad.payload = {{{{"type": "TEXT", "text": {KILL!r}}}}}
bad.save()
send_unheard("Other")
print(bad.pk)
"""


def test_a_delivery_that_kills_its_worker_is_given_up_and_all_others_arrive(
    tmp_path: Path, tables: Installation
) -> None:
    with (
        installation(tmp_path, like=tables, **HURRIED) as where,
        Receiver(lambda request: Answer(delay=0.2)) as receiver,
    ):
        bad = int(where.python(SENDS.format(url=receiver.url)))
        with loops(where, tmp_path):
            wait_until_settled(where, rows=2 * PEOPLE, seconds=120)
        read = books(where)
        received = tries_received(receiver.requests)
    assert Counter(read.states.values()) == Counter(sent=2 * PEOPLE - 1, failed=1) == read.tally
    assert read.states[bad] == "failed"
    assert set(received) == set(read.states) - {bad}
    assert read.outcomes[bad] == ["unknown"] * MOST_CUT_OFF
    # Who goes out beside it is cut off with it, but not again and again.
    cut_off = Counter(
        {row: tries.count("unknown") for row, tries in read.outcomes.items() if row != bad}
    )
    assert max(cut_off.values()) <= 3
