"""The CSV export, by the console and by the command."""

import csv
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from django.core.management import CommandError, call_command
from django.http import StreamingHttpResponse
from django.test import Client

from channels_app.models import Attempt, Channel, State
from project.access.models import AuditEntry

from .conftest import EXPORT


@pytest.fixture
def auditor(client_as: Callable[[str], Client]) -> Client:
    return client_as("Auditor")


def streamed(client: Client, **query) -> Iterator[bytes]:
    response = client.get(EXPORT, query)
    assert response.status_code == 200
    assert isinstance(response, StreamingHttpResponse)
    return cast("Iterator[bytes]", response.streaming_content)


def download(client: Client, **query) -> list[dict[str, str]]:
    content = b"".join(streamed(client, **query))
    assert content.startswith(b"\xef\xbb\xbf")  # or Excel shows “Ã¼” for “ü”
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_a_row_says_all_of_a_delivery(auditor, make_delivery):
    made = datetime(2026, 11, 23, 6, 30, 0, 113_000, tzinfo=UTC)
    delivery = make_delivery(
        "ana",
        state=State.FAILED,
        created_at=made,
        reason="HTTP 410",
        vendor_id="msg-1",
        payload={"type": "TEXT", "text": 'Grüße, "Ana"\nbis morgen'},
    )
    Attempt.objects.create(
        delivery=delivery, number=1, started_at=made, outcome="unavailable", status=503
    )
    Attempt.objects.create(
        delivery=delivery, number=2, started_at=made + timedelta(seconds=5), outcome="rejected",
        status=410,
    )  # fmt: skip
    delivery.attempt_count = 2
    delivery.save()
    assert download(auditor) == [
        {
            "message_id": delivery.public_id,
            "number": str(delivery.pk),
            "created_at": "2026-11-23T06:30:00.113Z",
            "origin": "notification",
            "origin_number": "1",
            "recipient": "ana",
            "address": "ana",
            "channel": "Hooks",
            "channel_kind": "webhook",
            "state": "failed",
            "attempts": "2",
            "last_outcome": "rejected",
            "last_status": "410",
            "last_attempt_at": "2026-11-23T06:30:05.113Z",
            "reason": "HTTP 410",
            "vendor_id": "msg-1",
            "settled_at": "2026-11-23T06:30:00.113Z",
            "deadline": "2026-11-23T10:30:00.113Z",
            "text": 'Grüße, "Ana"\nbis morgen',
        }
    ]


def test_a_delivery_not_tried_yet_leaves_cells_empty(auditor, make_delivery):
    make_delivery(state=State.QUEUED)
    (row,) = download(auditor)
    empty = ("last_outcome", "last_status", "last_attempt_at", "settled_at", "reason")
    assert {row[name] for name in empty} == {""}


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\uff1d", "\t", "\r", "\n", "'="])
def test_no_cell_that_someone_wrote_begins_a_formula(auditor, make_delivery, tenant, first):
    evil = f"{first}HYPERLINK(1)"
    make_delivery(
        evil,
        over=Channel.objects.create(tenant=tenant, name=evil, kind="webhook"),
        address=evil,
        reason=evil,
        vendor_id=evil,
        payload={"type": "TEXT", "text": evil},
    )
    (row,) = download(auditor)
    for name in ("recipient", "address", "channel", "reason", "vendor_id", "text"):
        assert row[name] == f"'{evil}"


def test_each_kind_of_message_is_told_as_text(auditor, make_delivery):
    make_delivery(payload={"type": "IMAGE", "url": "https://cdn.example/a.png", "text": "Map"})
    card = {"type": "CARD", "title": "Outage", "actions": [{"title": "More", "url": "https://a/"}]}
    make_delivery(payload=card)
    make_delivery(payload={"event": "ended"})
    make_delivery(payload={}, state=State.FAILED)
    texts = [row["text"] for row in download(auditor)]
    assert texts == [
        "",
        '{"event": "ended"}',
        "Outage\nMore: https://a/",
        "Map\nhttps://cdn.example/a.png",
    ]


def test_the_export_has_the_lists_filters_but_not_its_page(auditor, make_delivery):
    failed = make_delivery("ana", state=State.FAILED)
    make_delivery("ana")
    make_delivery("bo", state=State.FAILED)
    rows = download(auditor, state="failed", recipient="ana", at="oldest")
    assert [row["number"] for row in rows] == [str(failed.pk)]


@pytest.mark.parametrize(
    "query", [{}, {"notification": 1}, {"state": ["failed", "sent"]}, {"state": "sent"}]
)
def test_more_rows_than_a_chunk_come_once_each_newest_first(auditor, make_many, query):
    pks = [delivery.pk for delivery in make_many(1010)]
    rows = download(auditor, **query)
    assert [int(row["number"]) for row in rows] == pks[::-1]


def test_another_tenants_rows_are_not_in_it(auditor, make_delivery, other_channel):
    make_delivery(over=other_channel)
    assert download(auditor) == []


def test_a_wrong_filter_exports_nothing(auditor, make_delivery):
    make_delivery()
    response = auditor.get(EXPORT, {"state": "lost"})
    assert response.status_code == 400
    assert "“lost” is not a state." in response.content.decode()
    assert not AuditEntry.objects.exists()


def test_a_moment_beyond_the_tenants_calendar_exports_nothing(auditor, tenant):
    tenant.time_zone = "Asia/Tokyo"
    tenant.save()
    beyond = "9999-12-31T23:30Z"
    assert auditor.get(EXPORT, {"since": beyond}).status_code == 400
    with pytest.raises(CommandError, match="Enter a date and time"):
        call_command("export_log", "--tenant", tenant.name, "--from", beyond, stdout=io.StringIO())
    assert not AuditEntry.objects.exists()


def test_an_export_is_written_down_with_its_filters(auditor, make_delivery, channel):
    query = {"state": ["failed", "expired"], "channel": channel.pk, "since": "2026-11-23T07:30"}
    download(auditor, **query)
    entry = AuditEntry.objects.get()
    assert entry.action == "log.export"
    assert entry.actor_name.startswith("auditor")
    assert entry.details == {
        "filters": {
            "states": ["failed", "expired"],
            "channel": "Hooks",
            "from": "2026-11-23T06:30:00+00:00",
        }
    }


def test_the_file_has_a_name_with_the_day(auditor):
    named = auditor.get(EXPORT).headers["Content-Disposition"]
    assert named.startswith('attachment; filename="delivery-log-20')
    assert named.endswith('.csv"')


def test_the_first_bytes_come_before_any_row_is_read(
    auditor, make_delivery, django_assert_num_queries
):
    make_delivery()
    stream = iter(auditor.get(EXPORT).streaming_content)
    with django_assert_num_queries(0):
        assert next(stream).startswith(b"\xef\xbb\xbfmessage_id,")


def test_the_command_writes_the_same_rows(auditor, make_delivery, tenant):
    make_delivery("ana", state=State.FAILED)
    make_delivery("bo")
    out = io.StringIO(newline="")
    call_command(
        "export_log", "--tenant", tenant.name, "--state", "failed", "--channel", "Hooks", stdout=out
    )
    written = list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))
    assert written == download(auditor, state="failed")
    entry = AuditEntry.objects.order_by("pk").first()
    assert entry is not None
    assert (entry.actor_kind, entry.actor_name) == ("hub", "export_log command")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tenant", "Nobody"], "There is no tenant “Nobody”."),
        (["--tenant", "Acme Utilities", "--channel", "Fax"], "There is no channel “Fax”."),
        (["--tenant", "Acme Utilities", "--state", "lost"], "“lost” is not a state."),
        (["--tenant", "Acme Utilities", "--from", "soon"], "Enter a date and time"),
    ],
)
def test_the_command_refuses_what_it_does_not_know(tenant, arguments, message):
    with pytest.raises(CommandError, match=message):
        call_command("export_log", *arguments, stdout=io.StringIO())
