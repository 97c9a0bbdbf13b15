"""Deliveries stored past the ORM are as the ORM would store them, or are refused as there."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from channels_app.models import Channel, Delivery, Tally
from channels_app.models.bulk_insert import Row, Shared
from channels_app.services import enqueue_rows, open_books
from project.access.models import Tenant
from tests.support.channels import make_channel

NOW = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
ODD = (
    "",
    " ",
    "plain",
    'it\'s "quoted" 100 %s %(x)s %%',
    "tab\there",
    "line\nfeed\r\nreturn\r",
    "back\\slash \\n \\t \\\\",
    "\\N",
    "\\.",
    "a\n\\.\nb",
    "\x01\x08\x0b\x1b\x7f\x85\u2028",
    "Björn Østergård, 蔡, 🌊👩‍👩‍👧",
    "{}[],;|",
)


@pytest.fixture
def channel(tenant: Tenant) -> Channel:
    return make_channel(tenant, "webhook", name="Hook")


def shared(channel: Channel, origin: int) -> Shared:
    return Shared(
        tenant_id=channel.tenant_id,
        origin_kind="test",
        origin_id=origin,
        priority=9,
        due_at=NOW + timedelta(seconds=1),
        created_at=NOW,
    )


def row(channel: Channel, number: int | None, text: str = "x", **more: Any) -> Row:
    fields = {
        "channel_id": channel.pk,
        "recipient_id": number,
        "recipient": text,
        "address": text,
        "payload": json.dumps({"type": "TEXT", "text": text}),
        "state": "queued",
        "reason": text,
        "deadline": NOW + timedelta(hours=4),
        "settled_at": None,
    }
    return Row(**{**fields, **more})


def by_the_orm(of: Shared, rows: list[Row]) -> None:
    Delivery.objects.bulk_create(
        Delivery(**{**of._asdict(), **each._asdict(), "payload": json.loads(each.payload)})
        for each in rows
    )


def in_bulk(of: Shared, rows: list[Row]) -> None:
    open_books(Tenant.objects.get(pk=of.tenant_id), of.origin_kind, of.origin_id)
    enqueue_rows(of, rows)


def stored(origin: int) -> list[dict[str, Any]]:
    rows = Delivery.objects.of_origin("test", origin).order_by("pk").values()
    return [{k: v for k, v in found.items() if k not in ("id", "origin_id")} for found in rows]


def test_every_field_of_every_row_is_as_the_orm_would_store_it(channel):
    closed = {"settled_at": NOW, "deadline": NOW + timedelta(days=3)}
    rows = [row(channel, number, text) for number, text in enumerate(ODD)]
    rows.append(row(channel, None, "nobody"))
    rows.append(row(channel, 98, "out", state="suppressed", payload="{}", **closed))
    rows.append(
        row(channel, 99, "gone", state="failed", payload='{"a": [1, null, true]}', **closed)
    )
    by_the_orm(shared(channel, 1), rows)
    in_bulk(shared(channel, 2), rows)
    assert stored(2) == stored(1)
    assert [found["recipient"] for found in stored(2)] == [each.recipient for each in rows]
    books = Tally.objects.get(origin_kind="test", origin_id=2)
    assert (books.total, books.queued, books.failed) == (len(rows), len(rows) - 2, 1)


def test_many_rows_come_whole_and_in_order(channel):
    in_bulk(shared(channel, 1), [row(channel, number, f"n{number}") for number in range(1234)])
    assert [found["recipient_id"] for found in stored(1)] == list(range(1234))


@pytest.mark.parametrize("text", ["a\0b", "half \ud83c", "x" * 255])
def test_what_the_orm_refuses_is_refused_and_leaves_nothing(channel, text):
    """A NUL or a text that is too long, by PostgreSQL alone; half a character by both."""

    def outcome(store: Any, origin: int) -> Any:
        rows = [row(channel, 1), row(channel, 2, address=text)]
        try:
            with transaction.atomic():
                store(shared(channel, origin), rows)
        except (DatabaseError, ValueError) as error:
            assert stored(origin) == []
            return type(error)
        return stored(origin)

    assert outcome(in_bulk, 2) == outcome(by_the_orm, 1)


@pytest.mark.parametrize(
    "wrong", [{"recipient_id": 1}, {"state": "unheard of"}, {"state": "sending"}]
)
def test_the_constraints_are_kept(channel, wrong):
    with pytest.raises(IntegrityError), transaction.atomic():
        in_bulk(shared(channel, 1), [row(channel, 1), row(channel, 2)._replace(**wrong)])
    assert stored(1) == []
    assert not Tally.objects.filter(origin_kind="test").exists()


def test_a_channel_and_a_tenant_find_their_deliveries_by_an_index(db):
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, Delivery._meta.db_table)
    first = [constraints[name]["columns"][0] for name in ("delivery_log", "delivery_log_channel")]
    assert first == ["tenant_id", "channel_id"], "these stand in for the foreign keys' own"
