"""Organisations: one's own, and those a superuser adds."""

import pytest

from project.access.models import AuditEntry, Tenant


def page_of(tenant: Tenant) -> str:
    return f"/admin/access/tenant/{tenant.pk}/change/"


def test_an_administrator_is_led_to_their_own(client_as, tenant, other_tenant):
    response = client_as("Administrator").get("/admin/access/tenant/")
    assert response["Location"] == page_of(tenant)


def test_an_administrator_changes_the_name_but_not_the_ids(client_as, tenant):
    ids = (tenant.org_id, tenant.external_id)
    html = client_as("Administrator").get(page_of(tenant)).content.decode()
    assert tenant.org_id in html
    assert str(tenant.external_id) in html
    client_as("Administrator").post(
        page_of(tenant),
        {
            "name": "Acme Power",
            "time_zone": "Europe/Lisbon",
            "locale": "pt-PT",
            "org_id": "stolen",
            "external_id": "8b2d5c64-18b7-4d1e-8f20-000000000000",
        },
    )
    tenant.refresh_from_db()
    assert (tenant.name, tenant.time_zone, tenant.locale) == (
        "Acme Power",
        "Europe/Lisbon",
        "pt-PT",
    )
    assert (tenant.org_id, tenant.external_id) == ids
    assert AuditEntry.objects.get(action="tenant.change").tenant == tenant


def test_another_tenant_is_out_of_reach(client_as, other_tenant):
    browser = client_as("Administrator")
    assert browser.get(page_of(other_tenant)).status_code == 302
    sent = {"name": "Mine", "time_zone": "UTC", "locale": "en"}
    assert browser.post(page_of(other_tenant), sent).status_code == 302
    other_tenant.refresh_from_db()
    assert other_tenant.name == "Other House"
    assert browser.get("/admin/access/tenant/add/").status_code == 403


def test_nobody_deletes_a_tenant_here(sign_in, superuser, tenant):
    answer = sign_in(superuser).post(f"/admin/access/tenant/{tenant.pk}/delete/", {"post": "yes"})
    assert answer.status_code == 403
    assert Tenant.objects.filter(pk=tenant.pk).exists()


def test_a_superuser_adds_the_first_tenant(sign_in, superuser):
    sign_in(superuser).post(
        "/admin/access/tenant/add/",
        {
            "name": "Acme",
            "time_zone": "Europe/Madrid",
            "locale": "es",
            "org_id": "acme",
            "external_id": "8b2d5c64-18b7-4d1e-8f20-1f0f0f0f0f0f",
        },
    )
    tenant = Tenant.objects.get()
    assert tenant.org_id == "acme"
    assert AuditEntry.objects.get(action="tenant.add").tenant == tenant


def test_a_new_tenant_starts_with_roles_a_template_and_a_chat(sign_in, superuser):
    sign_in(superuser).post(
        "/admin/access/tenant/add/",
        {
            "name": "Newcomers",
            "time_zone": "UTC",
            "locale": "en",
            "org_id": "newcomers",
            "external_id": "8b2d5c64-18b7-4d1e-8f20-000000000001",
        },
    )
    newcomer = Tenant.objects.get(name="Newcomers")
    assert sorted(newcomer.roles.values_list("code", flat=True)) == [-5, -4, -3, -2, -1]
    assert newcomer.templates.get().current.body == "@request.message"
    assert newcomer.channels.get(is_default=True).kind == "chat"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "", "This field is required."),
        ("name", "x" * 101, "at most 100 characters"),
        ("name", "Other House", "already exists"),
        ("time_zone", "Mars/Olympus", "Select a valid choice."),
        ("time_zone", "../../etc/passwd", "Select a valid choice."),
        ("locale", "<b>", "Write a language tag such as en or de-AT."),
        ("locale", "", "This field is required."),
    ],
)
@pytest.mark.usefixtures("other_tenant")
def test_each_field_says_what_is_wrong_with_it(client_as, tenant, field, value, words):
    sent = {"name": "Acme", "time_zone": "UTC", "locale": "en", field: value}
    response = client_as("Administrator").post(page_of(tenant), sent)
    assert response.status_code == 200
    assert words in response.content.decode()
    tenant.refresh_from_db()
    assert tenant.name == "Acme Utilities"
