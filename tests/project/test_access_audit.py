"""The audit trail: read by those who may, changed by nobody, whatever its length."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_app.models import Attempt, Channel, Delivery
from project.access.audit import Actor, record
from project.access.models import AuditEntry, Tenant

LIST = "/admin/access/auditentry/"


def entries(tenant: Tenant, number: int, **fields) -> list[AuditEntry]:
    return AuditEntry.objects.bulk_create(
        AuditEntry(
            **{
                "tenant": tenant,
                "actor_kind": "user",
                "actor_name": "mara",
                "action": "template.add",
                "target_kind": "template",
                "target_name": f"Template {each}.",
                **fields,
            }
        )
        for each in range(number)
    )


def test_the_trail_shows_who_did_what_to_what(client_as, tenant):
    record(Actor.hub("schedule"), "notification.send", tenant=tenant, target=tenant, people=312)
    browser = client_as("Auditor")
    html = browser.get(LIST).content.decode()
    for words in ("schedule", "notification.send", "Acme Utilities"):
        assert words in html
    page = browser.get(f"{LIST}{AuditEntry.objects.get().pk}/change/").content.decode()
    assert "&quot;people&quot;: 312" in page
    assert "<form" not in page.split("<main")[1]


def test_entries_of_another_tenant_and_of_the_installation_stay_unseen(
    client_as, sign_in, superuser, tenant, other_tenant
):
    theirs = record(Actor.hub("x"), "secret.theirs", tenant=other_tenant)
    ours = record(Actor.hub("x"), "secret.installation", tenant=None)
    browser = client_as("Auditor")
    assert "secret." not in browser.get(LIST).content.decode()
    assert browser.get(f"{LIST}{theirs.pk}/change/").status_code == 302
    assert browser.get(f"{LIST}{ours.pk}/change/").status_code == 302
    assert "secret.installation" in sign_in(superuser).get(LIST).content.decode()


def test_the_trail_is_paged_by_key_and_never_counted(client_as, tenant):
    made = entries(tenant, 205)
    browser = client_as("Auditor")
    with CaptureQueriesContext(connection) as queries:
        first = browser.get(LIST).content.decode()
    assert not [query for query in queries if "COUNT(" in query["sql"]]
    assert "Template 204." in first
    assert "Template 104." not in first
    second = browser.get(f"{LIST}?before={made[105].pk}").content.decode()
    assert f'href="?before={made[105].pk}"' in first
    assert "Template 104." in second
    assert "Template 105." not in second
    last = browser.get(f"{LIST}?before={made[5].pk}").content.decode()
    assert "Template 0." in last
    assert "Older" not in last
    assert "Newest" in last


@pytest.mark.parametrize("before", ["", "x", "-5", "9" * 19, "9" * 40, "9" * 4400, "1\x00", "٣"])
def test_a_senseless_place_in_the_trail_is_no_fault(client_as, tenant, before):
    entries(tenant, 1)
    assert client_as("Auditor").get(LIST, {"before": before}).status_code == 200


def test_the_trail_is_narrowed_by_action_person_and_time(client_as, tenant):
    entries(tenant, 1, action="channel.add", target_name="Old channel", at=_ago(days=3))
    entries(tenant, 1, action="channel.add", target_name="New channel")
    entries(tenant, 1, actor_name="bo", target_name="By bo")
    browser = client_as("Auditor")

    def shown(**query: str) -> set[str]:
        html = browser.get(LIST, query).content.decode()
        return {name for name in ("Old channel", "New channel", "By bo") if name in html}

    assert shown(action="channel.add") == {"Old channel", "New channel"}
    assert shown(by="bo") == {"By bo"}
    assert shown(within="24") == {"New channel", "By bo"}
    assert shown(action="channel.add", within="24") == {"New channel"}
    assert shown(action="no.such") == set()
    assert shown(action="no\0such") == set()
    assert shown(by="<script>") == set()
    assert shown(within="ever") == {"Old channel", "New channel", "By bo"}


def test_what_somebody_named_a_thing_is_shown_as_text(client_as, tenant):
    entries(tenant, 1, target_name="<script>alert(1)</script>", actor_name="<b>mara</b>")
    html = client_as("Auditor").get(LIST).content.decode()
    assert "<script>alert" not in html
    assert "<b>mara" not in html
    assert "&lt;script&gt;alert" in html


@pytest.mark.parametrize("group", ["Administrator", "Auditor"])
def test_nobody_changes_or_deletes_an_entry(client_as, tenant, group):
    entry = entries(tenant, 1)[0]
    browser = client_as(group)
    assert browser.post(f"{LIST}{entry.pk}/change/", {"action": "x"}).status_code == 403
    assert browser.post(f"{LIST}{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    assert browser.get(f"{LIST}add/").status_code == 403
    assert AuditEntry.objects.get(pk=entry.pk).action == "template.add"


@pytest.mark.parametrize("group", ["Composer", "Approver", "Operator", "Agent"])
def test_the_trail_is_for_administrators_and_auditors(client_as, group):
    assert client_as(group).get(LIST).status_code == 403


def test_the_database_itself_refuses_to_change_an_entry(tenant):
    entries(tenant, 1)
    with pytest.raises(DatabaseError, match="An audit entry is never changed"):
        _sql("UPDATE access_auditentry SET actor_name = 'nobody'")
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEntry.objects.update(action="nothing")
    assert AuditEntry.objects.get().actor_name == "mara"


def test_the_database_itself_refuses_to_change_an_attempt(tenant):
    now = timezone.now()
    channel = Channel.objects.create(tenant=tenant, name="Mail", kind="email")
    delivery = Delivery.objects.create(
        tenant=tenant,
        channel=channel,
        origin_kind="test",
        origin_id=1,
        recipient="ana",
        address="ana@acme.example",
        payload={},
        deadline=now,
    )
    Attempt.objects.create(delivery=delivery, number=1, started_at=now, outcome="accepted")
    with pytest.raises(DatabaseError, match="An attempt is never changed"):
        _sql("UPDATE channels_app_attempt SET outcome = 'rejected'")
    assert Attempt.objects.get().outcome == "accepted"


def _sql(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def _ago(**span: int):
    return timezone.now() - timedelta(**span)
