"""Each of the log's filters is served by an index that ends with the log's order."""

import re

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from channels_app.log.filters import LogForm
from channels_app.log.paging import Listing, Place
from channels_app.models import Channel, Delivery, State

# The constraint's index, by its name in PostgreSQL and in SQLite.
ONCE = "(delivery_once|sqlite_autoindex_channels_app_delivery_1)"


@pytest.fixture
def crowd(tenant, other_tenant, channel, other_channel) -> None:
    """Enough rows that the planner uses an index where one serves."""
    chat = Channel.objects.create(tenant=tenant, name="Chat", kind="chat")
    states = [State.SENT] * 18 + [State.FAILED, State.EXPIRED]
    Delivery.objects.bulk_create(
        Delivery(
            tenant=over.tenant,
            channel=over,
            origin_kind="notification",
            origin_id=number // 500,
            recipient_id=number,
            recipient=f"person{number % 300}",
            address="x",
            payload={},
            state=states[number % 20],
            deadline="2100-01-01T00:00Z",
        )
        for number in range(6000)
        for over in [(channel, chat, other_channel)[number % 3]]
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", "delivery_log"),
        ("at=older.1790000000000000.3000", "delivery_log"),
        ("at=oldest", "delivery_log"),
        ("since=2020-01-01&until=2090-01-01", "delivery_log"),
        ("state=failed", "delivery_log_state"),
        ("state=failed&at=older.4000000000000000.3000", "delivery_log_state"),
        ("state=failed&since=2020-01-01&until=2090-01-01", "delivery_log_state"),
        ("state=failed&state=expired", "delivery_log_state"),
        ("channel={channel}", "delivery_log_channel"),
        ("channel={channel}&state=failed", "delivery_log_channel"),
        ("channel={channel}&state=delivered", "delivery_log_channel"),
        ("channel={channel}&at=older.4000000000000000.3000", "delivery_log_channel"),
        ("recipient=person7", "delivery_log_person"),
        ("recipient=person7&state=sent", "delivery_log_person"),
        ("recipient=person7&channel={channel}", "delivery_log_person"),
        ("notification=3", ONCE),
        ("notification=3&at=older.1700.1700", ONCE),
    ],
)
def test_a_page_is_read_from_one_index_without_sorting_the_rest(
    crowd, tenant, channel, query, index
):
    form = LogForm(QueryDict(query.format(channel=channel.pk)), tenant=tenant)
    assert form.is_valid(), form.errors
    plan = _plan_of(form.chosen.listing(tenant), form.place)
    assert re.search(rf"(using|USING INDEX|USING COVERING INDEX) {index}\b", plan), plan
    by_states = query.count("state=") > 1 or re.match("channel={channel}(?!&state)", query)
    if not by_states:  # what several states found is merged
        assert not re.search(r"(?<!Incremental )Sort  \(|TEMP B-TREE FOR ORDER BY", plan), plan


def _plan_of(listing: Listing, place: Place) -> str:
    """The plan of the query that finds a page's rows, as the database tells it."""
    with CaptureQueriesContext(connection) as asked:
        listing.page(place, 50)
    verb = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        cursor.execute(f"{verb} {asked[0]['sql']}")
        return "\n".join(str(row[-1]) for row in cursor.fetchall())
