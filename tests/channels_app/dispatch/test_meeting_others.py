"""The engine's statements meet a stop, a rest and locks of others at the same rows."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from channels_app.channel_services import set_active
from channels_app.connectors.base import Receipt, Rejected, Verdict
from channels_app.dispatch.claims import Lane, claim
from channels_app.dispatch.drain import Drain
from channels_app.dispatch.results import of_verdict
from channels_app.dispatch.settle import settle
from channels_app.models import Attempt, ChatMessage, Delivery
from channels_app.services import halt
from project.access.audit import Actor
from tests.support.workers import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def elsewhere(deed: Callable[[], object]) -> threading.Thread:
    """Do it in a thread with a connection of its own."""

    def run() -> None:
        try:
            deed()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


@pytest.mark.postgres
def test_a_stop_that_commits_while_a_claim_waits_is_seen(make_channel, make_deliveries, books):
    channel = make_channel("http://127.0.0.1:9999/")
    make_deliveries(channel, 5)
    make_deliveries(channel, 2, origin=2)
    taken: list[Delivery] = []
    with transaction.atomic():
        halt("test", 1, timezone.now())
        claiming = elsewhere(
            lambda: taken.extend(claim(Lane(channel), 10, now=timezone.now(), holder="a"))
        )
        wait_for(somebody_waits, seconds=20, what="the claim to meet the stop")
    claiming.join(20)
    assert {row.origin_id for row in taken} == {2}
    assert books() == {"queued": 5}


def test_nothing_is_claimed_for_a_channel_that_rests(make_channel, make_deliveries):
    channel = make_channel("http://127.0.0.1:9999/")
    make_deliveries(channel, 3)
    lane = Lane(channel)
    set_active(channel, active=False, by=Actor.hub("test"))
    assert claim(lane, 10, now=timezone.now(), holder="a") == []
    set_active(channel, active=True, by=Actor.hub("test"))
    assert len(claim(lane, 10, now=timezone.now(), holder="a")) == 3


@pytest.mark.postgres
def test_chat_that_could_not_be_written_goes_back_without_a_try(
    make_channel, make_deliveries, books
):
    channel = make_channel(kind="chat")
    make_deliveries(channel, 20)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        """Keep chat messages from being written, but let all else be."""
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE channels_app_chatmessage IN SHARE MODE")
            held.set()
            done.wait(30)

    holding = elsewhere(hold)
    assert held.wait(20)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '200ms'")
    loop = Drain(linger=False)
    try:
        loop._turn()
        assert books() == {"sending": 20}
        done.set()
        holding.join(20)
        loop.run()
    finally:
        done.set()
        connection.close()
    assert books() == {"sent": 20}
    assert set(Attempt.objects.values_list("number", "outcome")) == {(1, "accepted")}
    assert ChatMessage.objects.count() == 20


def test_no_word_of_a_far_end_upsets_the_database(make_channel, make_deliveries, books):
    channel = make_channel("http://127.0.0.1:9999/")
    make_deliveries(channel, 3)
    now = timezone.now()
    odd = "nul \0, half a pair \ud800, " + "long " * 100
    rows = claim(Lane(channel), 3, now=now, holder="a")
    verdicts: list[Verdict] = [Receipt(vendor_id=odd), Receipt(vendor_id=7), Rejected(odd)]  # type: ignore[arg-type]
    results = [
        of_verdict(row, verdict, started_at=now, duration=0.1)
        for row, verdict in zip(rows, verdicts, strict=True)
    ]
    assert settle(results, now=now + timedelta(seconds=1)) == 3
    assert books() == {"sent": 2, "failed": 1}
    assert Delivery.objects.filter(vendor_id="7").exists()
    assert Attempt.objects.get(outcome="rejected").error.startswith("nul , half a pair \ufffd")
