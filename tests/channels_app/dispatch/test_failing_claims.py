"""A database that fails in the middle of a round: what of it stands, and what is undone."""

from collections import Counter

import pytest
from django.db import OperationalError, connection

from channels_app.dispatch.settle import settle
from channels_app.models import Attempt, statements
from tests.support.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)

FAILS = {2, 3, 6}  # of the second channel's claims


@pytest.fixture
def failing(monkeypatch) -> list[bool]:
    """Let claims of the second channel fail now and then; whether each was part of a commit."""
    failed: list[bool] = []
    real, calls = statements.claim, Counter[int]()

    def claim(channel: int, **given):
        calls[channel] += 1
        if channel == max(calls) and len(calls) > 1 and calls[channel] in FAILS:
            failed.append(connection.in_atomic_block)
            raise OperationalError("the disk is full")
        return real(channel, **given)

    monkeypatch.setattr(statements, "claim", claim)
    return failed


def test_what_fails_beside_other_claims_and_settlements_loses_and_doubles_nothing(
    make_channel, make_deliveries, drain, books, failing
):
    with Receiver() as one, Receiver() as other:
        rows = make_deliveries(make_channel(one.url), 400)
        rows += make_deliveries(make_channel(other.url), 400, origin=2)
        drain()
        ids = Counter(request.headers["webhook-id"] for request in [*one.requests, *other.requests])
    assert len(failing) == len(FAILS)
    # On SQLite what has ended is settled in the same commit, and goes back with it.
    assert any(failing) == (connection.vendor == "sqlite")
    assert ids == Counter(row.public_id for row in rows)
    assert books(1) == books(2) == {"sent": 400}
    assert set(Attempt.objects.values_list("number", "outcome")) == {(1, "accepted")}
    assert Attempt.objects.count() == 800


def test_a_channel_that_can_t_be_sent_to_keeps_nobody_else_s_rows(
    make_channel, make_deliveries, drain, books, monkeypatch
):
    """Chat is written by the loop itself; where that fails, what was claimed beside it leaves."""
    failed: list[bool] = []
    real = settle

    def settles(*given, **more):
        if len(failed) < 2:
            failed.append(True)
            raise OperationalError("the disk is full")
        return real(*given, **more)

    monkeypatch.setattr("channels_app.dispatch.drain.settle", settles)
    with Receiver() as receiver:
        make_deliveries(make_channel(kind="chat"), 50)
        rows = make_deliveries(make_channel(receiver.url), 50, origin=2)
        make_deliveries(make_channel(kind="chat"), 50, origin=3)
        drain()
        ids = Counter(request.headers["webhook-id"] for request in receiver.requests)
    assert failed == [True, True]
    assert ids == Counter(row.public_id for row in rows)
    assert books(1) == books(2) == books(3) == {"sent": 50}
    assert Attempt.objects.count() == 150
