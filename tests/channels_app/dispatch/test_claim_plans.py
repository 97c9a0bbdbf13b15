"""A claim reads the due end of an index, however many rows wait and whatever the statistics say."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from channels_app.models import Delivery, Tally, statements
from channels_app.models.statements import claiming
from channels_app.services import open_books

WAITING, DUE = 20_000, 300


@pytest.fixture
def busy(make_channel):
    """A channel with many rows that wait for their next try, and some that are due."""
    channel = make_channel("http://127.0.0.1:9999/")
    open_books(channel.tenant, "bench", 1)
    now = timezone.now()
    Delivery.objects.bulk_create(
        [
            Delivery(
                tenant=channel.tenant,
                channel=channel,
                origin_kind="bench",
                origin_id=1,
                recipient_id=number,
                recipient=f"u{number}",
                address=f"u{number}",
                payload={},
                due_at=now + timedelta(hours=1) if number < WAITING else now,
                deadline=now + timedelta(hours=4),
                attempt_count=int(number < WAITING),
            )
            for number in range(WAITING + DUE)
        ],
        batch_size=1000,
    )
    Tally.objects.shift("bench", 1, {"queued": WAITING + DUE})
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return channel


def plan(sql: str, **values) -> str:
    """How the database would carry it out."""
    postgres = connection.vendor == "postgresql"
    word = "EXPLAIN" if postgres else "EXPLAIN QUERY PLAN"
    sql = sql.replace("{lock}", "FOR NO KEY UPDATE OF d SKIP LOCKED" if postgres else "")
    with connection.cursor() as cursor:
        cursor.execute(f"{word} {sql}", values)
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


def assert_no_walk(found: str) -> None:
    """Neither the whole table, nor everything of the channel sorted."""
    walks = [
        line
        for line in found.splitlines()
        if re.search(r"Seq Scan on channels_app_delivery|Sort Key: d|^SCAN d\b|TEMP B-TREE", line)
    ]
    assert not walks, found


def test_neither_looking_nor_claiming_walks_past_what_waits(busy):
    now = timezone.now()
    asked = {
        "channel": busy.pk,
        "room": 48,
        "retries": 16,
        "now": statements.moment(now),
        "lease_until": statements.moment(now + timedelta(seconds=30)),
        "holder": "one",
    }
    postgres = connection.vendor == "postgresql"
    assert_no_walk(plan(claiming._ON_POSTGRES if postgres else claiming._ON_SQLITE, **asked))
    assert_no_walk(plan(claiming._CHANNELS_DUE, now=asked["now"]))


def test_what_is_due_is_found_behind_what_waits(busy):
    now = timezone.now()
    assert set(statements.channels_due(now)) == {busy.pk}
    until = now + timedelta(seconds=30)
    taken = statements.claim(
        busy.pk, room=DUE + 50, retries=16, now=now, lease_until=until, holder="one"
    )
    assert len(taken) == DUE
    assert {row.attempt_count for row in taken} == {1}
    assert not statements.channels_due(now)
