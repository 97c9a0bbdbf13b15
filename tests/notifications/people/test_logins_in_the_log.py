"""The log by a login: all that went out under it, whatever became of the person since."""

import csv
import re
from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from channels_app.models import Channel, Delivery
from channels_app.operations import replay_delivery
from notifications.audience import Audience
from notifications.composing import Draft
from notifications.expansion import Batch
from notifications.models import Notification, Recipient
from notifications.people import save_recipient
from notifications.schedule import start
from notifications.services import notify, send_test
from project.access.audit import Actor
from project.access.models import Tenant
from tests.support.channels import make_channel
from tests.support.composing import expand_and_send

LOG = "/admin/channels_app/delivery/"
PEOPLE = "/admin/notifications/recipient/"
BY = Actor.hub("tests")

pytestmark = pytest.mark.django_db
Send = Callable[[Recipient], Delivery]


@pytest.fixture(autouse=True)
def _chats(tenant: Tenant, other_tenant: Tenant) -> None:
    for house in (tenant, other_tenant):
        make_channel(house, "chat", name="Chat", is_default=True)


@pytest.fixture
def auditor(client_as: Callable[[str], Client]) -> Client:
    return client_as("Auditor")


def released(person: Recipient) -> Notification:
    audience = Audience(contacts=(person.login,))
    return notify(person.tenant, Draft(audience=audience, body="Hello"), by=BY)


@pytest.fixture
def send() -> Send:
    """Send a notification to one person, as the workers do."""

    def send(person: Recipient) -> Delivery:
        notification = released(person)
        expand_and_send(notification)
        return Delivery.objects.of_origin("notification", notification.pk).get()

    return send


def found(auditor: Client, login: str, **more: str | int) -> list[int]:
    """The numbers on the list for this login, newest first."""
    page = auditor.get(LOG, {"recipient": login, **more}).content.decode()
    return [int(pk) for pk in re.findall(r"/delivery/(\d+)/change/", page)]


def rename(client: Client, person: Recipient, login: str) -> None:
    none = {f"{prefix}-{name}_FORMS": 0 for prefix in ("addresses", "opt_outs")
            for name in ("TOTAL", "INITIAL")}  # fmt: skip
    answer = client.post(f"{PEOPLE}{person.pk}/change/", {"login": login, "is_active": "on"} | none)
    assert answer.status_code == 302
    person.refresh_from_db()
    assert person.login == login


def delete(client: Client, *people: Recipient) -> None:
    """By the person's page; several by the list's action."""
    if len(people) == 1:
        client.post(f"{PEOPLE}{people[0].pk}/delete/", {"post": "yes"})
    else:
        pks = [person.pk for person in people]
        deed = {"action": "delete_selected", "_selected_action": pks, "post": "yes"}
        client.post(PEOPLE, deed)
    assert not Recipient.objects.filter(pk__in=[person.pk for person in people]).exists()


def test_a_living_persons_rows_by_the_login_as_it_is_written(auditor, make_person, send):
    ana, bo = make_person("Ana@acme.example"), make_person("bo")
    first, second, _ = send(ana), send(ana), send(bo)
    assert found(auditor, "Ana@acme.example") == [second.pk, first.pk]
    assert found(auditor, "ana@acme.example") == []


def test_a_deleted_persons_rows(auditor, admin_client, make_person, send):
    people = [make_person(login) for login in ("ana", "bo", "chidi")]
    sent = [send(person) for person in people]
    delete(admin_client, people[0])
    delete(admin_client, *people[1:])
    for person, row in zip(people, sent, strict=True):
        assert found(auditor, person.login) == [row.pk]


def test_people_who_are_deleted_otherwise_than_by_a_page(auditor, make_person, send, tenant):
    ana, bo = make_person("ana"), make_person("bo")
    sent = send(ana), send(bo)
    ana.delete()
    tenant.recipients.all().delete()
    assert (found(auditor, "ana"), found(auditor, "bo")) == ([sent[0].pk], [sent[1].pk])


def test_a_renamed_persons_rows_stay_under_the_login_they_went_to(
    auditor, admin_client, make_person, send
):
    ana = make_person("ana")
    rows: dict[str, list[int]] = {}
    for login in ("ana", "anna", "Anna", "ana"):
        if ana.login != login:
            rename(admin_client, ana, login)
        rows.setdefault(login, []).insert(0, send(ana).pk)
    for login in ("ana", "anna", "Anna"):
        assert found(auditor, login) == rows[login]
    rename(admin_client, ana, "bo")
    delete(admin_client, ana)
    for login in ("ana", "anna", "Anna"):
        assert found(auditor, login) == rows[login]
    assert found(auditor, "bo") == []


def test_a_login_that_another_person_took_over(auditor, admin_client, make_person, send):
    former = make_person("ops@acme.example")
    before = send(former)
    delete(admin_client, former)
    between = make_person("ops@acme.example")
    meanwhile = send(between)
    rename(admin_client, between, "between")
    after = send(make_person("ops@acme.example"))
    assert found(auditor, "ops@acme.example") == [after.pk, meanwhile.pk, before.pk]


@pytest.mark.parametrize("gone", [False, True])
def test_a_change_while_an_expansion_is_under_way(auditor, admin_client, make_person, gone):
    ana = make_person("ana")
    notification = released(ana)
    start(notification.pk, timezone.now())
    batch = Batch.next_of(notification.pk)
    assert batch is not None
    if gone:
        delete(admin_client, ana)
    else:
        rename(admin_client, ana, "anna")
    batch.store()
    assert found(auditor, "ana") == [Delivery.objects.get().pk]


def test_a_test_send_and_a_replay_which_have_no_person(auditor, admin_client, make_person, send):
    ana = make_person("ana")
    sent = send(ana)
    again, _ = replay_delivery(sent, by=BY)
    tried = send_test(Notification.objects.get(), ana, by=BY)
    assert (again.recipient_id, tried.recipient_id) == (None, None)
    everything = [tried.pk, again.pk, sent.pk]
    assert found(auditor, "ana") == everything
    rename(admin_client, ana, "anna")
    assert found(auditor, "ana") == everything
    delete(admin_client, ana)
    assert found(auditor, "ana") == everything


def test_never_another_tenants(auditor, make_person, send, other_tenant):
    theirs = make_person("ana", of=other_tenant)
    send_test(Notification.objects.get(pk=send(theirs).origin_id), theirs, by=BY)
    save_recipient(theirs, by=BY)
    assert found(auditor, "ana") == []
    theirs.login = "anna"
    save_recipient(theirs, by=BY)
    theirs.delete()
    assert (found(auditor, "ana"), found(auditor, "anna")) == ([], [])


@pytest.fixture
def many(admin_client: Client, make_person: Callable[..., Recipient], tenant: Tenant) -> list[int]:
    """Two who had the login, and rows of nobody, mixed in time; their numbers, newest first."""
    gone = make_person("ana")
    delete(admin_client, gone)
    people = (gone.pk, make_person("ana").pk, None)
    chat = Channel.objects.get(tenant=tenant)
    rows = Delivery.objects.bulk_create(
        Delivery(
            tenant=tenant,
            channel=chat,
            origin_kind="notification" if people[number % 3] else "test",
            origin_id=number,
            recipient_id=people[number % 3],
            recipient="ana",
            address="ana",
            payload={},
            state="failed" if number % 4 else "sent",
            created_at=f"2026-11-22T10:00:00.{number // 2:06}Z",  # two at a time
            deadline="2100-01-01T00:00Z",
        )
        for number in range(160)
    )
    return [row.pk for row in rows][::-1]


def test_the_pages_of_several_people_and_of_nobody_follow_each_other(auditor, many):
    def walked(link: str, at: str) -> list[list[int]]:
        pages: list[list[int]] = []
        while True:
            answer = auditor.get(LOG, {"recipient": "ana", "at": at})
            pages.append([line.delivery.pk for line in answer.context["lines"]])
            at = getattr(answer.context["page"], link)
            if not at:
                return pages

    assert walked("older", "") == [many[:50], many[50:100], many[100:150], many[150:]]
    assert walked("newer", "oldest") == [many[-50:], many[-100:-50], many[-150:-100], many[:50]]


def test_other_filters_narrow_them_and_the_export_has_them_all(auditor, many, tenant):
    failed = list(Delivery.objects.filter(state="failed").values_list("pk", flat=True))
    assert found(auditor, "ana", state="failed") == failed[:50]
    out = StringIO()
    call_command("export_log", "--tenant", tenant.name, "--recipient", "ana", stdout=out)
    exported = csv.DictReader(StringIO(out.getvalue(), newline=""))
    assert [int(row["number"]) for row in exported] == many


def test_a_page_asks_the_database_twelve_times_at_most(
    auditor, many, tenant, django_assert_max_num_queries
):
    chat = Channel.objects.get(tenant=tenant)
    every = {"recipient": "ana", "notification": 1, "channel": chat.pk, "state": ["failed", "sent"]}
    with django_assert_max_num_queries(12):
        auditor.get(LOG, every)
