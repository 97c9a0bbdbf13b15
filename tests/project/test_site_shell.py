"""The top bar: who is offered what, what waits, whose tenant it is."""

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.utils import timezone

from channels_app.models import Tally
from channels_app.models.tally import STILL_OPEN
from project.access.models import AuditEntry, Tenant
from project.schedules import ensure_schedules

PAGES = [
    "/admin/",
    "/admin/password_change/",
    "/admin/access/user/",
    "/admin/access/user/add/",
    "/admin/access/apiclient/",
    "/admin/access/apiclient/add/",
    "/admin/access/auditentry/",
]


class Page(HTMLParser):
    """What a page offers: the links of its main navigation, its inline code, its order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.inline: list[str] = []
        self.first_link = ""
        self.depth = 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "nav" and given.get("id") == "topnav":
            self.depth = 1
        if tag == "a":
            self.first_link = self.first_link or given.get("href", "")
            if self.depth:
                self.links.append(given["href"])
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.inline.append(tag)
        self.inline += [
            f"{tag} {name}" for name in given if name == "style" or name.startswith(("on", "hx-on"))
        ]

    def handle_endtag(self, tag):
        if tag == "nav":
            self.depth = 0


@pytest.mark.parametrize(
    ("group", "sees", "does_not_see"),
    [
        ("Administrator", {"people", "log", "access"}, set()),
        ("Operator", {"people", "log"}, {"access"}),
        ("Agent", {"people"}, {"log", "access"}),
        ("Auditor", {"people", "log", "access"}, set()),
    ],
)
def test_each_group_is_offered_what_it_may_open(client_as, group, sees, does_not_see):
    urls = {
        "people": "/admin/notifications/recipient/",
        "log": "/admin/channels_app/delivery/",
        "access": "/admin/access/user/",
    }
    client = client_as(group)
    offered = Page(client.get("/admin/").content.decode()).links
    for name in sees:
        assert urls[name] in offered
        assert client.get(urls[name]).status_code == 200
    for name in does_not_see:
        assert urls[name] not in offered
        assert client.get(urls[name]).status_code == 403


def test_the_page_being_shown_is_marked_in_both_rows_of_the_navigation(client_as):
    html = client_as("Administrator").get("/admin/access/auditentry/").content.decode()
    assert '<a href="/admin/access/user/" aria-current="page">Access</a>' in html
    assert '<a href="/admin/access/auditentry/" aria-current="page">Audit trail</a>' in html
    assert html.count('aria-current="page"') == 2


def test_the_first_stop_of_the_keyboard_skips_to_the_content(client_as):
    html = client_as("Auditor").get("/admin/").content.decode()
    assert Page(html).first_link == "#content-start"
    assert '<main id="content-start"' in html


@pytest.mark.parametrize("path", PAGES)
def test_pages_carry_no_inline_code_and_a_policy_that_forbids_it(client_as, path):
    response = client_as("Administrator").get(path)
    assert response.status_code == 200
    assert Page(response.content.decode()).inline == []
    policy = response["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in policy


def test_the_pulse_says_how_many_of_the_tenants_deliveries_wait(client_as, tenant, other_tenant):
    books = [
        (tenant, {"queued": 1200, "sending": 34, "sent": 9}),
        (tenant, {"sent": 5000}),
        (other_tenant, {"queued": 7}),
    ]
    for number, (owner, states) in enumerate(books):
        Tally.objects.create(tenant=owner, origin_kind="test", origin_id=number, **states)
    ensure_schedules()
    html = client_as("Agent").get("/pulse/").content.decode()
    assert "delivering" in html
    assert "1,234 to send" in html


def test_the_pulse_reads_open_origins_by_their_index(tenant, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert Tally.objects.waiting(tenant) == 0
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # a table without rows is read whole otherwise
            cursor.execute("SET LOCAL enable_seqscan = off")
        assert "tally_open" in Tally.objects.filter(STILL_OPEN, tenant=tenant).explain()


def test_the_pulse_says_when_no_worker_moves_the_clock_on(client_as):
    browser = client_as("Agent")
    assert "workers at rest" in browser.get("/pulse/").content.decode()
    ensure_schedules()
    assert "workers at rest" not in browser.get("/pulse/").content.decode()
    with time_machine.travel(timezone.now() + timedelta(minutes=10)):
        assert "workers at rest" in browser.get("/pulse/").content.decode()


def test_the_pulse_stops_asking_once_signed_out(db):
    response = Client().get("/pulse/")
    assert response.status_code == 286  # htmx: swap this in and ask no more
    assert 'href="/admin/login/"' in response.content.decode()


def test_a_superuser_without_a_tenant_switches_between_tenants(
    sign_in, superuser, tenant, other_tenant
):
    client = sign_in(superuser)
    assert "<h1>Acme Utilities</h1>" in client.get("/admin/").content.decode()
    client.post("/admin/work-in/", {"tenant": other_tenant.pk})
    assert "<h1>Other House</h1>" in client.get("/admin/").content.decode()


@pytest.mark.parametrize("choice", ["", "no", "-1", "99999999", "9" * 40, "1\x00"])
def test_an_unknown_choice_of_tenant_changes_nothing(sign_in, superuser, tenant, choice):
    client = sign_in(superuser)
    client.post("/admin/work-in/", {"tenant": choice})
    html = client.get("/admin/").content.decode()
    assert "You can&#x27;t work in that tenant." in html
    assert "<h1>Acme Utilities</h1>" in html


def test_a_person_with_a_tenant_stays_in_it(client_as, other_tenant):
    client = client_as("Administrator")
    assert 'action="/admin/work-in/"' not in client.get("/admin/").content.decode()
    client.post("/admin/work-in/", {"tenant": other_tenant.pk})
    assert "<h1>Acme Utilities</h1>" in client.get("/admin/").content.decode()


def test_a_fresh_installation_asks_its_superuser_for_a_tenant(sign_in, superuser):
    assert not Tenant.objects.exists()
    html = sign_in(superuser).get("/admin/").content.decode()
    assert 'href="/admin/access/tenant/add/"' in html


@pytest.mark.parametrize(
    "path", ["/admin/django_q/schedule/", "/admin/django_q/ormq/", "/admin/auth/group/"]
)
def test_models_that_nobody_should_edit_have_no_pages(sign_in, superuser, tenant, path):
    assert sign_in(superuser).get(path).status_code == 404


@pytest.mark.parametrize(("zone", "shown"), [("", "13:30:00"), ("Asia/Kolkata", "18:00:00")])
def test_times_are_shown_in_the_persons_zone_else_in_the_tenants(
    sign_in, make_user, tenant, zone, shown
):
    user = make_user("Auditor", time_zone=zone)
    half_past_noon = datetime(2026, 1, 15, 12, 30, tzinfo=UTC)
    entry = AuditEntry.objects.create(
        tenant=tenant, actor_kind="hub", actor_name="test", action="demo.load", at=half_past_noon
    )
    html = sign_in(user).get(f"/admin/access/auditentry/{entry.pk}/change/").content.decode()
    assert shown in html


def test_signing_in_and_out_is_written_to_the_audit_trail(make_user, tenant):
    make_user("Agent", username="lena")
    client = Client()
    client.post("/admin/login/", {"username": "lena", "password": "a quiet morning"})
    client.post("/admin/logout/")
    done = tenant.audit_entries.order_by("pk").values_list("action", "actor_name")
    assert list(done) == [("user.login", "lena"), ("user.logout", "lena")]


@pytest.mark.parametrize("username", ["lena", "bo"])
def test_a_wrong_password_typed_while_signed_in_is_no_sign_in(sign_in, make_user, tenant, username):
    client = sign_in(make_user("Agent", username="lena"))
    client.post("/admin/login/", {"username": username, "password": "wrong"})
    assert not tenant.audit_entries.exists()


def test_signing_in_as_somebody_else_is_written_down_as_theirs(sign_in, make_user, tenant):
    client = sign_in(make_user("Agent", username="lena"))
    make_user("Agent", username="bo")
    client.post("/admin/login/", {"username": "bo", "password": "a quiet morning"})
    done = tenant.audit_entries.values_list("action", "actor_name")
    assert list(done) == [("user.login", "bo")]
