"""The log as CSV, streamed: the first bytes at once, and flat memory however long it gets."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from channels_app.log.filters import LogFilter
from channels_app.log.paging import Listing
from channels_app.models import Attempt, Delivery
from channels_app.payload import plain_text
from project.access.audit import Actor, record
from project.access.models import Tenant
from project.spreadsheet import protect

CHUNK = 500  # rows a query; at 40,000 characters each, the most that is held is some 20 MB
COLUMNS = (
    "message_id",
    "number",
    "created_at",
    "origin",
    "origin_number",
    "recipient",
    "address",
    "channel",
    "channel_kind",
    "state",
    "attempts",
    "last_outcome",
    "last_status",
    "last_attempt_at",
    "reason",
    "vendor_id",
    "settled_at",
    "deadline",
    "text",
)


def export(chosen: LogFilter, *, tenant: Tenant, by: Actor, bom: bool) -> Iterator[bytes]:
    """Write the export to the audit trail now and return its bytes, to be taken as they come.

    It is read by key in chunks, not through a cursor held open, so that it neither pins a
    transaction nor copies the log inside the database before the first row. Rows newer than its
    first chunk are not in it; each row is as it was when its chunk was read.

    ``bom``: begin with the mark without which Excel reads UTF-8 as something else.
    """
    record(by, "log.export", tenant=tenant, filters=chosen.as_json())
    return _chunks(chosen.listing(tenant), bom=bom)


def _chunks(listing: Listing[Delivery], *, bom: bool) -> Iterator[bytes]:
    yield b"\xef\xbb\xbf" * bom + _csv([COLUMNS])
    for deliveries in listing.walk(CHUNK):
        last = _last_attempts([delivery.pk for delivery in deliveries])
        yield _csv(_row(delivery, last.get(delivery.pk, Last())) for delivery in deliveries)


def _csv(rows: Iterable[Sequence[str | int]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    # Half a character (a lone surrogate) becomes "?" rather than the end of the download.
    return text.getvalue().encode("utf-8", "replace")


class Last(NamedTuple):
    """What the export tells of a delivery's last attempt."""

    outcome: str = ""
    status: int | str = ""
    at: str = ""


def _last_attempts(pks: list[int]) -> dict[int, Last]:
    attempts = Attempt.objects.filter(delivery__in=pks).order_by("delivery_id", "number")
    return {
        pk: Last(outcome, status or "", _utc(started_at))
        for pk, outcome, status, started_at in attempts.values_list(
            "delivery_id", "outcome", "status", "started_at"
        )
    }


def _row(delivery: Delivery, last: Last) -> tuple[str | int, ...]:
    return (
        delivery.public_id,
        delivery.pk,
        _utc(delivery.created_at),
        protect(delivery.origin_kind),
        delivery.origin_id,
        protect(delivery.recipient),
        protect(delivery.address),
        protect(delivery.channel.name),
        delivery.channel.kind,
        delivery.state,
        delivery.attempt_count,
        *last,
        protect(delivery.reason),
        protect(delivery.vendor_id),
        _utc(delivery.settled_at) if delivery.settled_at else "",
        _utc(delivery.deadline),
        protect(_text(delivery.payload)),
    )


def _text(payload: dict[str, Any]) -> str:
    return plain_text(payload) or (json.dumps(payload, ensure_ascii=False) if payload else "")


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
