import pytest
from django.utils import timezone

from notifications.models import Notification, Role
from project.access.models import AuditEntry

LIST = "/admin/notifications/role/"
ADD = f"{LIST}add/"

pytestmark = pytest.mark.django_db


def test_the_list_counts_the_people_of_each_role(admin_client, make_person):
    make_person("ana", roles=[-4])
    make_person("bo", roles=[-4, -1])
    page = admin_client.get(LIST)
    members = {role.code: role.member_count for role in page.context["cl"].result_list}
    assert members == {-1: 1, -2: 0, -3: 0, -4: 2, -5: 0}


def test_a_role_of_ones_own_is_added(admin_client, tenant):
    admin_client.post(ADD, {"code": 12, "name": "Night shift"})
    assert tenant.roles.get(code=12).name == "Night shift"
    assert AuditEntry.objects.get(action="role.add").target_name == "Night shift (12)"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"code": "", "name": "x"}, "This field is required."),
        ({"code": 7, "name": ""}, "This field is required."),
        ({"code": 0, "name": "x"}, "0 means everyone and can't be a role's code."),
        ({"code": -6, "name": "x"}, "A code is -1 to -5 (Luma's) or from 1 to 2,147,483,647."),
        ({"code": 2**31, "name": "x"}, None),
        ({"code": 10**30, "name": "x"}, None),
        ({"code": "seven", "name": "x"}, "Enter a whole number."),
        ({"code": -4, "name": "x"}, "A role with this code exists."),
        ({"code": 7, "name": "x" * 81}, None),
        ({"code": 7, "name": "a\0b"}, "Null characters are not allowed."),
    ],
)
def test_bad_input_is_answered_in_the_form(admin_client, tenant, given, error):
    page = admin_client.post(ADD, given)
    assert page.status_code == 200
    found = [
        str(text) for texts in page.context["adminform"].form.errors.values() for text in texts
    ]
    assert found
    if error:
        assert found == [error]
    assert tenant.roles.count() == 5


def test_a_code_stays_and_a_name_changes(admin_client, tenant):
    role = tenant.roles.get(code=-5)
    admin_client.post(f"{LIST}{role.pk}/change/", {"code": 9, "name": "Visitor"})
    role.refresh_from_db()
    assert (role.code, role.name) == (-5, "Visitor")


def test_another_tenants_role_has_no_page_here(admin_client, other_tenant):
    role = other_tenant.roles.get()
    admin_client.post(f"{LIST}{role.pk}/change/", {"name": "Mine"})
    admin_client.post(f"{LIST}{role.pk}/delete/", {"post": "yes"})
    role.refresh_from_db()
    assert role.name == "Elsewhere"


def test_deleting_a_role_says_whom_it_is_taken_from(admin_client, make_person, tenant):
    ana = make_person("ana", roles=[-5, -4])
    role = tenant.roles.get(code=-5)
    page = admin_client.get(f"{LIST}{role.pk}/delete/")
    assert b"It is taken from 1 person" in page.content
    admin_client.post(f"{LIST}{role.pk}/delete/", {"post": "yes"})
    assert not Role.objects.filter(pk=role.pk).exists()
    assert [held.code for held in ana.roles.all()] == [-4]


@pytest.mark.parametrize("group", ["Composer", "Approver", "Operator", "Agent", "Auditor"])
def test_readers_change_no_role(client_as, tenant, group):
    client = client_as(group)
    role = tenant.roles.get(code=-5)
    assert client.get(LIST).status_code == 200
    assert client.post(ADD, {"code": 9, "name": "x"}).status_code == 403
    assert client.post(f"{LIST}{role.pk}/change/", {"name": "x"}).status_code == 403
    assert client.post(f"{LIST}{role.pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(
    ("stage", "stays"),
    [("draft", False), ("submitted", True), ("scheduled", True), ("done", False)],
)
def test_a_role_that_a_message_waits_to_be_sent_to_stays(admin_client, tenant, stage, stays):
    role = tenant.roles.get(code=-5)
    audience = {"everyone": False, "contacts": [], "roles": [-4, -5], "narrow": False}
    expanded = timezone.now() if stage == "done" else None
    Notification.objects.create(
        tenant=tenant, title="Planned outage", stage=stage, audience=audience, expanded_at=expanded
    )
    page = admin_client.get(f"{LIST}{role.pk}/delete/").content.decode()
    assert ("Planned outage" in page) == stays
    admin_client.post(f"{LIST}{role.pk}/delete/", {"post": "yes"})
    assert Role.objects.filter(pk=role.pk).exists() == stays


def test_another_houses_message_keeps_no_role(admin_client, tenant, other_tenant):
    role = tenant.roles.get(code=-5)
    audience = {"everyone": False, "contacts": [], "roles": [-5], "narrow": False}
    Notification.objects.create(
        tenant=other_tenant, title="x", stage="submitted", audience=audience
    )
    admin_client.post(f"{LIST}{role.pk}/delete/", {"post": "yes"})
    assert not Role.objects.filter(pk=role.pk).exists()
