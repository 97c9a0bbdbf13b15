"""Each of the log's filters is served by an index that ends with the log's order."""

import re

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from channels_app.log.filters import LogForm
from channels_app.log.paging import Listing, Place
from channels_app.models import Channel, Delivery, State
from notifications.models import FormerLogin, Recipient

# The constraint's index, by its name in PostgreSQL and in SQLite.
ONCE = "(delivery_once|sqlite_autoindex_channels_app_delivery_1)"
# A login's rows: of no person, and of the people who have or had it.
PERSON = ["delivery_log_login", "delivery_log_person"]
ALL = "delivery_log"  # all of a tenant's


@pytest.fixture
def crowd(tenant, other_tenant, channel, other_channel) -> int:
    """Enough rows that the planner uses an index where one serves; returns a person's id."""
    chat = Channel.objects.create(tenant=tenant, name="Chat", kind="chat")
    states = [State.SENT] * 18 + [State.FAILED, State.EXPIRED]
    people = Recipient.objects.bulk_create(
        Recipient(tenant=tenant, login=f"person{number}") for number in range(300)
    )
    FormerLogin.objects.create(tenant=tenant, login="person7", recipient_id=people[8].pk)
    Delivery.objects.bulk_create(
        Delivery(
            tenant=over.tenant,
            channel=over,
            origin_kind=("notification", "replay")[number % 11 == 0],
            origin_id=number // 300,
            recipient_id=person.pk if number % 11 else None,
            recipient=person.login,
            address="x",
            payload={},
            state=states[number % 20],
            deadline="2100-01-01T00:00Z",
        )
        for number in range(6000)
        for person in [people[number % 300]]
        for over in [(channel, chat, other_channel)[number % 7 % 3]]
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return people[150].pk


@pytest.mark.parametrize(
    ("query", "indexes"),
    [
        ("", ["delivery_log"]),
        ("at=older.1790000000000000.3000", ["delivery_log"]),
        ("at=oldest", ["delivery_log"]),
        ("since=2020-01-01&until=2090-01-01", ["delivery_log"]),
        ("state=failed", ["delivery_log_state"]),
        ("state=failed&at=older.4000000000000000.3000", ["delivery_log_state"]),
        ("state=failed&since=2020-01-01&until=2090-01-01", ["delivery_log_state"]),
        ("state=failed&state=expired", ["delivery_log_state"]),
        ("channel={channel}", ["delivery_log_channel"]),
        ("channel={channel}&state=failed", ["delivery_log_channel"]),
        ("channel={channel}&state=delivered", ["delivery_log_channel"]),
        ("channel={channel}&at=older.4000000000000000.3000", ["delivery_log_channel"]),
        ("recipient=person9", PERSON),
        ("recipient=person9&at=older.4000000000000000.3000", PERSON),
        ("recipient=person9&state=sent", PERSON),
        ("recipient=person9&state=failed&state=expired", PERSON),
        ("recipient=person9&channel={channel}", PERSON),
        ("recipient=person9&notification=3", [PERSON[0], f"({PERSON[1]}|{ONCE})"]),
        ("recipient=person9&since=2020-01-01&until=2090-01-01", PERSON),
        ("recipient=person7", PERSON),  # two people's
        ("recipient=nobody", PERSON[:1]),
        ("notification=3", [ONCE]),
        ("notification=3&at=older.{person}.1700", [ONCE]),
    ],
)
def test_a_page_is_read_from_one_index_without_sorting_the_rest(
    crowd, tenant, channel, query, indexes
):
    form = LogForm(QueryDict(query.format(channel=channel.pk, person=crowd)), tenant=tenant)
    assert form.is_valid(), form.errors
    plan = _plan_of(form.chosen.listing(tenant), form.place)
    used = [
        index for index in (*indexes, ALL) if re.search(rf"(?i)(using|on|index) {index}\b", plan)
    ]
    assert used == [*indexes, *[ALL] * (ALL in indexes)], plan
    merged = len(indexes) > 1 or query.count("state=") > 1
    if not merged and not re.match("channel={channel}(?!&state)", query):
        assert not re.search(r"(?<!Incremental )Sort  \(|TEMP B-TREE FOR ORDER BY", plan), plan


def _plan_of(listing: Listing, place: Place) -> str:
    """The plan of the query that finds a page's rows, as the database tells it."""
    with CaptureQueriesContext(connection) as asked:
        listing.page(place, 50)
    verb = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        cursor.execute(f"{verb} {asked[0]['sql']}")
        return "\n".join(str(row[-1]) for row in cursor.fetchall())
