"""The list of sessions: what it shows, filters, pages."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_app.log.paging import Listing, Place
from channels_app.models import Agent, Session
from channels_app.records.filters import SessionForm
from channels_app.sessions import services
from tests.support.channels import make_channel

from .conftest import LIST


def shown(client: Client, **query) -> list[int]:
    """The ids of the sessions that the list shows, in its order."""
    response = client.get(LIST, query)
    assert response.status_code == 200
    return [int(pk) for pk in re.findall(r"/session/(\d+)/change/", response.content.decode())]


def text(client: Client, **query) -> str:
    response = client.get(LIST, query)
    assert response.status_code == 200
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode())))


def test_an_empty_list_says_so(auditor, tenant):
    assert "No session yet" in text(auditor)


def test_the_newest_stand_first(auditor, begin, clock):
    old = begin("Ana")
    clock.shift(60)
    new = begin("Bo")
    assert shown(auditor) == [new.pk, old.pk]


def test_a_line_says_when_who_what_and_how_long(auditor, begin, mara, clock):
    session = begin("Ana Ruiz")
    clock.shift(41)
    session = services.join(session, agent=mara)
    clock.shift(100)
    line = f"{session.pk} 12:00:00 Ana Ruiz Billing Callbacks Mara active"
    assert f"{line} waited 41 s open for 2 min 21 s" in text(auditor).replace(" seconds", " s")
    services.end_by_agent(session, agent=mara)
    clock.shift(3600)
    assert "ended by an agent waited 41 seconds lasted 2 min 21 s" in text(auditor)


def test_one_that_waits_says_for_whom_and_how_long_already(auditor, begin, clock, mara):
    mara.presence, mara.seen_at = "available", timezone.now()
    mara.save()
    begin("Ana Ruiz")
    clock.shift(12)
    assert "waiting offered to Mara waited 12 seconds" in text(auditor)


def test_one_that_never_came_up_says_why(auditor, begin):
    begin(work_type="99")
    assert "99 Callbacks failed Work type does not exist" in text(auditor)


def test_another_tenants_sessions_are_not_listed(auditor, theirs):
    assert shown(auditor) == []
    assert "Olga" not in text(auditor)
    assert "Secrets" not in text(auditor)
    for name in ("Ana Ruiz", theirs.session.contact, theirs.session.public_id, theirs.session.pk):
        assert shown(auditor, who=name) == []


def test_the_states_filter_takes_several(auditor, begin, mara):
    waiting, active, failed = begin("A"), begin("B"), begin("C", work_type="99")
    services.join(active, agent=mara)
    assert shown(auditor, state="waiting") == [waiting.pk]
    assert shown(auditor, state=["failed", "active"]) == [failed.pk, active.pk]


def test_by_work_type_agent_and_channel(auditor, begin, mara, ines, outages):
    one = begin("A")
    values = {"client": one.client, "settings": {"url": "https://hooks.example/second"}}
    other = make_channel(outages.tenant, "alvaria_callback", name="Second", **values)
    two, three = begin("B", work_type="33"), begin("C", over=other)
    services.join(one, agent=mara)
    services.join(two, agent=ines)
    assert shown(auditor, work_type=outages.pk) == [two.pk]
    assert shown(auditor, agent=mara.pk) == [one.pk]
    assert shown(auditor, channel=other.pk) == [three.pk]
    assert shown(auditor, agent=mara.pk, work_type=outages.pk) == []
    assert shown(auditor, agent=ines.pk, work_type=outages.pk, state="active") == [two.pk]
    assert shown(auditor, channel=one.channel_id, state=["active", "waiting"]) == [two.pk, one.pk]


def test_a_contact_is_found_by_the_whole_name_in_any_case(auditor, begin):
    ana = begin("Ana Ruiz")
    begin("Ana Ruiz-Lopez")
    for name in ("Ana Ruiz", "ana ruiz", "  ANA RUIZ "):
        assert shown(auditor, who=name) == [ana.pk]
    assert shown(auditor, who="Ana") == []
    assert "A name or an ID is looked for whole." in text(auditor, who="Ana")


def test_a_session_is_found_by_each_name_that_a_system_has_for_it(auditor, begin):
    session = begin("Ana", contact="ana@acme.example")
    begin("Bo")
    session.vendor_id = "ALV-77"
    session.save()
    public_id = str(session.public_id)
    for name in (public_id, public_id.upper(), "ALV-77", "ana@acme.example", str(session.pk)):
        assert shown(auditor, who=name) == [session.pk]
    assert shown(auditor, who="alv-77") == []
    assert shown(auditor, who="ALV-77", state="failed") == []


def test_one_found_by_two_names_is_listed_once(auditor, begin):
    session = begin("same", contact="same")
    session.vendor_id = "same"
    session.save()
    assert shown(auditor, who="same") == [session.pk]


def test_a_span_of_time_on_the_tenants_clock(auditor, begin, clock):
    first = begin("A")  # 12:00 in Madrid
    clock.shift(3600)
    second = begin("B")
    assert shown(auditor, since="2026-11-23 12:30") == [second.pk]
    assert shown(auditor, until="2026-11-23 13:00") == [first.pk]
    assert shown(auditor, since="2026-11-23", until="2026-11-23") == [second.pk, first.pk]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("state=asleep", "“asleep” is not a state."),
        ("work_type=999999", "There is no such work type."),
        ("channel=abc", "There is no such channel."),
        ("agent=" + "9" * 40, "There is no such agent."),
        ("agent=1%00", "Null characters are not allowed."),
        ("who=a%00b", "Null characters are not allowed."),
        ("who=" + "x" * 300, "at most 254 characters"),
        ("since=yesterday", "Enter a date and time"),
        ("since=2026-11-23&until=2026-11-22", "“To” must be later than “From”."),
    ],
)
def test_a_wrong_filter_is_told_and_nothing_is_listed(auditor, begin, query, words):
    begin()
    response = auditor.get(f"{LIST}?{query}")
    assert response.status_code == 200
    said = unescape(response.content.decode())
    assert words in said
    assert "Nothing is shown" in said
    assert not re.search(r"/session/\d+/change/", said)


def test_another_tenants_agent_work_type_and_channel_are_no_filter(auditor, begin, theirs):
    begin()
    for name, row in (
        ("agent", theirs.agent),
        ("work_type", theirs.kind),
        ("channel", theirs.channel),
    ):
        assert shown(auditor, **{name: row.pk}) == []
        assert "Olga" not in text(auditor, **{name: row.pk})


def test_a_damaged_page_link_shows_the_newest(auditor, begin):
    session = begin()
    assert shown(auditor, at="older.x.y") == [session.pk]
    assert "link is damaged" in text(auditor, at="older.x.y")


@pytest.fixture
def many(begin: Callable[..., Session], mara: Agent) -> Session:
    """A hundred and twenty sessions, a second apart, in several states."""
    first = begin("Person 0")
    now = timezone.now()
    Session.objects.bulk_create(
        Session(
            tenant=first.tenant,
            channel=first.channel,
            client=first.client,
            work_type=first.work_type,
            contact=f"c{number}",
            contact_name=f"Person {number % 7}",
            agent=mara if number % 3 else None,
            state="ended",
            created_at=now + timedelta(seconds=number),
            ended_at=now + timedelta(seconds=number + 60),
            ended_by="agent",
        )
        for number in range(1, 120)
    )
    return first


def link(client: Client, words: str, query: str = "") -> str | None:
    page = client.get(LIST + query).content.decode()
    found = re.search(rf'href="(\?[^"]*)"[^>]*>\W*{words}\W*</a>', page)
    return unescape(found[1]) if found else None


@pytest.mark.parametrize("query", ["", "?state=ended&state=waiting", "?who=Person+3"])
def test_pages_follow_each_other_without_gap_or_overlap(auditor, many, query):
    seen, at = list[int](), query
    while True:
        response = auditor.get(LIST + at)
        pks = re.findall(r"/session/(\d+)/change/", response.content.decode())
        seen += map(int, pks)
        older = link(auditor, "Older", at)
        if older is None:
            break
        at = older
    wanted = Session.objects.all()
    if "who" in query:
        wanted = wanted.filter(contact_name="Person 3")
    order = wanted.order_by("-created_at", "-pk").values_list("pk", flat=True)
    assert seen == list(order)


def test_the_list_costs_the_same_few_queries_however_many_there_are(
    auditor, many, django_assert_max_num_queries
):
    for query in ({}, {"who": "Person 3"}, {"state": ["ended", "waiting", "failed"]}):
        with django_assert_max_num_queries(14):
            auditor.get(LIST, query)


# --- what a hundred thousand cost ---------------------------------------------------------------


@pytest.fixture
def crowd(many: Session, theirs, mara: Agent) -> Session:
    """Enough rows that the planner uses an index where one serves."""
    states = ["ended"] * 18 + ["failed"] * 2
    now = timezone.now()
    Session.objects.bulk_create(
        Session(
            tenant=over.tenant,
            channel=over.channel,
            work_type=over.work_type,
            agent=over.agent,
            contact=f"d{number}",
            contact_name=f"Person {number % 997}",
            vendor_id=f"V{number}" if number % 2 else "",
            state=states[number % 20],
            created_at=now - timedelta(seconds=number),
            ended_at=now,
        )
        for number in range(6000)
        for over in [many if number % 3 else theirs.session]
    )
    Session.objects.filter(contact__startswith="d", pk__in=_every(40)).update(agent=mara)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return many


def _every(step: int) -> list[int]:
    return list(Session.objects.order_by("pk").values_list("pk", flat=True))[::step]


@pytest.mark.parametrize(
    ("query", "indexes"),
    [
        ("", ["session_list"]),
        ("at=older.1790000000000000.3000", ["session_list"]),
        ("at=oldest", ["session_list"]),
        ("since=2020-01-01&until=2090-01-01", ["session_list"]),
        ("state=failed", ["session_list_state"]),
        ("state=failed&state=opening", ["session_list_state"]),
        ("agent={agent}", ["session_list_agent"]),
        ("agent={agent}&state=failed", ["session_list_agent"]),
        ("agent={agent}&channel={channel}", ["session_list_agent"]),
        # Almost all have it, so PostgreSQL may as well read them all in order.
        ("work_type={work_type}", ["session_list(?:_work)?"]),
        ("channel={channel}", ["session_list_channel"]),
        ("channel={channel}&at=older.4000000000000000.3000", ["session_list_channel"]),
        ("who=Person+9", ["session_list_name", "session_contact", "session_vendor"]),
        ("who=V77", ["session_list_name", "session_contact", "session_vendor"]),
    ],
)
def test_each_filter_is_served_by_an_index_without_sorting_the_rest(
    crowd, tenant, mara, query, indexes
):
    asked = query.format(agent=mara.pk, channel=crowd.channel_id, work_type=crowd.work_type_id)
    form = SessionForm(QueryDict(asked), tenant=tenant)
    assert form.is_valid(), form.errors
    plan = _plan_of(form.chosen.listing(tenant), form.place)
    for index in indexes:
        assert re.search(rf"(?i)(using|on|index) {index}\b", plan), plan
    assert not re.search(
        r"(?i)Seq Scan on channels_app_session\b|SCAN channels_app_session\n", plan
    )
    # Of two filters PostgreSQL may take the few rows that both indexes have, and sort those.
    if len(indexes) == 1 and not re.search("&(state|channel)=", query):
        assert not re.search(r"(?<!Incremental )Sort  \(|TEMP B-TREE FOR ORDER BY", plan), plan


def _plan_of(listing: Listing[Session], place: Place) -> str:
    """The plan of the query that finds a page's rows, as the database tells it."""
    with CaptureQueriesContext(connection) as asked:
        listing.page(place, 50)
    verb = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        cursor.execute(f"{verb} {asked[0]['sql']}")
        return "\n".join(str(row[-1]) for row in cursor.fetchall())
