"""A database that fails in the middle of a round: what of it stands, and what is undone."""

from collections import Counter

import pytest
from django.db import OperationalError, connection

from channels_app.dispatch.drain import Drain
from channels_app.dispatch.settle import settle
from channels_app.models import Attempt, ChatMessage, statements
from channels_app.signals import origin_settled
from tests.support.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)

FAILS = {2, 3}  # of the claims in a commit with a settlement, and of those by themselves


@pytest.fixture
def failing(monkeypatch) -> list[bool]:
    """Let claims fail now and then; whether each was part of a commit."""
    failed: list[bool] = []
    real, calls = statements.claim, Counter[bool]()

    def claim(channel: int, **given):
        joined = connection.in_atomic_block
        calls[joined] += 1
        if calls[joined] in FAILS:
            failed.append(joined)
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
    # On SQLite what has ended is settled in the same commit, and goes back with it.
    joins = [False, True] if connection.vendor == "sqlite" else [False]
    assert Counter(failing) == dict.fromkeys(joins, len(FAILS))
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


def test_a_claim_that_fails_each_time_keeps_no_other_channel_from_being_settled(
    make_channel, make_deliveries, books, monkeypatch
):
    failed: list[bool] = []
    real = statements.claim

    def claim(channel: int, **given):
        if channel == broken.pk and is_damaged:
            failed.append(connection.in_atomic_block)
            raise OperationalError("a page of an index is damaged")
        return real(channel, **given)

    monkeypatch.setattr(statements, "claim", claim)
    with Receiver() as one, Receiver() as other:
        make_deliveries(make_channel(one.url), 100)
        broken = make_channel(other.url)
        make_deliveries(broken, 10, origin=2)
        loop, is_damaged = Drain(linger=False), True
        for _ in range(60):
            loop._turn()
            if books(1).get("sent", 0) >= 64:
                break
        assert books(1)["sent"] >= 64
        assert failed
        is_damaged = False
        loop.run()
    assert books(1) == {"sent": 100}
    assert books(2) == {"sent": 10}
    assert len(one.requests) == 100
    assert len(other.requests) == 10


def test_what_others_do_after_the_commit_may_fail_without_harm(
    make_channel, make_deliveries, drain, books
):
    """That an origin is settled is told after the commit which settled it, and claimed others."""
    told: list[int] = []

    def fail(kind: str, pk: int, **_: object) -> None:
        told.append(pk)
        raise OperationalError("the disk is full")

    origin_settled.connect(fail)
    try:
        with Receiver() as receiver:
            channel = make_channel(receiver.url)
            for origin in range(1, 6):
                make_deliveries(channel, 40, origin=origin)
            drain()
            ids = {request.headers["webhook-id"] for request in receiver.requests}
    finally:
        origin_settled.disconnect(fail)
    assert told
    assert len(receiver.requests) == len(ids) == 200
    assert all(books(origin) == {"sent": 40} for origin in range(1, 6))
    assert set(Attempt.objects.values_list("outcome", flat=True)) == {"accepted"}


NO_ROOM = {
    "sqlite": """CREATE TRIGGER no_room BEFORE INSERT ON channels_app_chatmessage
        BEGIN SELECT RAISE(ABORT, 'no room'); END""",
    "postgresql": """CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN RAISE EXCEPTION ''no room''; END';
        CREATE TRIGGER no_room BEFORE INSERT ON channels_app_chatmessage
        FOR EACH STATEMENT EXECUTE FUNCTION no_room()""",
}
ROOM = {"sqlite": "DROP TRIGGER no_room", "postgresql": "DROP FUNCTION no_room CASCADE"}


def test_chat_that_finds_no_room_goes_back_without_a_try(make_channel, make_deliveries, books):
    make_deliveries(make_channel(kind="chat"), 20)
    with connection.cursor() as cursor:
        cursor.execute(NO_ROOM[connection.vendor])
    loop = Drain(linger=False)
    try:
        loop._turn()
        assert books() == {"sending": 20}
    finally:
        with connection.cursor() as cursor:
            cursor.execute(ROOM[connection.vendor])
    loop.run()
    assert books() == {"sent": 20}
    assert set(Attempt.objects.values_list("number", "outcome")) == {(1, "accepted")}
    assert ChatMessage.objects.count() == 20
