import re
import threading

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from django.test import Client

from channels_app.models import Channel
from notifications.models import Recipient
from project.access.models import AuditEntry
from tests.support.channels import make_channel

ADD = "/admin/notifications/recipient/add/"

pytestmark = pytest.mark.django_db


def page_of(person: Recipient, page: str = "change") -> str:
    return f"/admin/notifications/recipient/{person.pk}/{page}/"


def fields(**given) -> dict:
    """What the form posts: without given addresses and opt-outs there are none."""
    addresses, opt_outs = given.pop("addresses", []), given.pop("opt_outs", [])
    data = {"login": "ana", "name": "", "locale": "", "time_zone": "", "is_active": "on"} | given
    for prefix, rows in (("addresses", addresses), ("opt_outs", opt_outs)):
        data |= {
            f"{prefix}-TOTAL_FORMS": len(rows),
            f"{prefix}-INITIAL_FORMS": sum("id" in row for row in rows),
        }
        data |= {f"{prefix}-{n}-{name}": row[name] for n, row in enumerate(rows) for name in row}
    return data


def errors(page) -> list[str]:
    form = page.context["adminform"].form
    found = [str(text) for texts in form.errors.values() for text in texts]
    for inline in page.context["inline_admin_formsets"]:
        found += [str(text) for text in inline.formset.non_form_errors()]
        found += [
            str(text) for row in inline.formset.errors for texts in row.values() for text in texts
        ]
    return found


def test_a_person_is_added_with_all_that_belongs_to_them(admin_client, tenant):
    role = tenant.roles.get(code=-4)
    data = fields(
        login=" Ana@acme.example ",
        name="Ana Ruiz",
        locale="es_ES",
        time_zone="Europe/Madrid",
        roles=[role.pk],
        addresses=[{"kind": "email", "value": "ana@acme.example"}, {"kind": "", "value": ""}],
        opt_outs=[{"kind": "*"}],
    )
    assert admin_client.post(ADD, data).status_code == 302
    ana = tenant.recipients.get()
    assert (ana.login, ana.locale, ana.time_zone) == ("Ana@acme.example", "es-ES", "Europe/Madrid")
    assert list(ana.roles.all()) == [role]
    assert [str(address) for address in ana.addresses.all()] == ["email: ana@acme.example"]
    assert [out.kind for out in ana.opt_outs.all()] == ["*"]
    entry = AuditEntry.objects.get(action="recipient.add")
    assert (entry.target_id, entry.actor_kind) == (str(ana.pk), "user")


def test_a_change_is_written_to_the_audit_trail_with_what_changed(admin_client, make_person):
    ana = make_person("ana", addresses={"email": "old@acme.example"}, opt_outs={"chat"})
    address, out = ana.addresses.get(), ana.opt_outs.get()
    data = fields(
        name="Ana Ruiz",
        addresses=[
            {"id": address.pk, "recipient": ana.pk, "kind": "email", "value": "new@acme.example"}
        ],
        opt_outs=[{"id": out.pk, "recipient": ana.pk, "kind": "chat", "DELETE": "on"}],
    )
    assert admin_client.post(page_of(ana), data).status_code == 302
    assert ana.addresses.get().value == "new@acme.example"
    assert ana.opt_outs.count() == 0
    entry = AuditEntry.objects.get(action="recipient.change")
    assert sorted(entry.details["fields"]) == ["email", "name", "opt_outs"]


def test_saving_without_a_change_leaves_no_entry(admin_client, make_person):
    ana = make_person("ana", name="Ana")
    admin_client.post(page_of(ana), fields(name="Ana"))
    assert not AuditEntry.objects.filter(action="recipient.change").exists()


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"login": ""}, "This field is required."),
        ({"login": "   "}, "This field is required."),
        ({"login": "0"}, "0 means everyone and can't be a login."),
        ({"login": "a,b"}, "A login can't hold a comma: commas part several logins."),
        ({"login": "BO"}, "A recipient with this login exists."),
        ({"login": "x" * 255}, "Ensure this value has at most 254 characters (it has 255)."),
        ({"login": "a\0b"}, "Null characters are not allowed."),
        ({"login": "a\x07b"}, "It holds a line break or another control character."),
        ({"name": "x" * 151}, "Ensure this value has at most 150 characters (it has 151)."),
        ({"name": "two\nlines"}, "It holds a line break or another control character."),
        ({"locale": "<b>"}, "“<b>” is not a language tag such as en or de-AT."),
        (
            {"time_zone": "Mars/Base"},
            "Select a valid choice. Mars/Base is not one of the available choices.",
        ),
        ({"roles": ["nonsense"]}, "“nonsense” is not a valid value."),
        (
            {"addresses": [{"kind": "email", "value": "not an address"}]},
            "Enter a valid email address.",
        ),
        ({"addresses": [{"kind": "email", "value": ""}]}, "This field is required."),
        ({"addresses": [{"kind": "", "value": "x"}]}, "This field is required."),
        (
            {"addresses": [{"kind": "pigeon", "value": "x"}]},
            "Select a valid choice. pigeon is not one of the available choices.",
        ),
        (
            {"addresses": [{"kind": "luma", "value": "0"}]},
            "A Luma contact is one login: not 0, and without a comma.",
        ),
        (
            {"addresses": [{"kind": "chat", "value": "x" * 255}]},
            "Ensure this value has at most 254 characters (it has 255).",
        ),
        (
            {"addresses": [{"kind": "chat", "value": "a"}, {"kind": "chat", "value": "b"}]},
            "Please correct the duplicate data for kind.",
        ),
        (
            {"opt_outs": [{"kind": "pigeon"}]},
            "Select a valid choice. pigeon is not one of the available choices.",
        ),
    ],
)
def test_bad_input_is_answered_in_the_form_and_nothing_is_saved(
    admin_client, make_person, tenant, given, error
):
    make_person("bo")
    page = admin_client.post(ADD, fields(**given))
    assert page.status_code == 200
    assert error in errors(page)
    assert tenant.recipients.count() == 1


def test_an_empty_post_is_answered_in_the_form(admin_client):
    page = admin_client.post(ADD, {})
    assert page.status_code == 200
    assert "This field is required." in errors(page)


def test_a_login_taken_by_another_is_refused_when_changing_too(admin_client, make_person):
    make_person("bo")
    ana = make_person("ana")
    page = admin_client.post(page_of(ana), fields(login="BO"))
    assert errors(page) == ["A recipient with this login exists."]


def test_another_tenants_rows_posted_by_hand_are_refused(
    admin_client, make_person, tenant, other_tenant
):
    ana = make_person("ana")
    theirs = make_person("theirs", of=other_tenant, addresses={"email": "x@y.example"})
    role = other_tenant.roles.get()
    channel = Channel.objects.create(tenant=other_tenant, name="Chat", kind="chat")
    for given in ({"roles": [role.pk]}, {"last_channel": channel.pk}):
        page = admin_client.post(page_of(ana), fields(**given))
        assert errors(page) != []
    address = {
        "id": theirs.addresses.get().pk,
        "recipient": ana.pk,
        "kind": "email",
        "value": "z@z.example",
    }
    page = admin_client.post(page_of(ana), fields(addresses=[address]))
    assert errors(page) != []
    assert theirs.addresses.get().value == "x@y.example"
    assert ana.roles.count() == 0


@pytest.mark.parametrize("page", ["change", "delete", "history"])
def test_another_tenants_person_has_no_page_here(admin_client, make_person, other_tenant, page):
    theirs = make_person("theirs", of=other_tenant)
    assert admin_client.get(page_of(theirs, page)).status_code == 302
    assert admin_client.post(page_of(theirs, page), fields(login="mine")).status_code == 302
    theirs.refresh_from_db()
    assert theirs.login == "theirs"


def test_a_deleted_person_stays_in_the_audit_trail(admin_client, make_person):
    ana = make_person("ana", addresses={"email": "a@b.example"}, roles=[-4], opt_outs={"*"})
    admin_client.post(page_of(ana, "delete"), {"post": "yes"})
    assert not Recipient.objects.exists()
    assert AuditEntry.objects.get(action="recipient.delete").target_name == "ana"


def test_a_persons_page_links_to_their_deliveries_and_their_chat(admin_client, make_person, tenant):
    channel = Channel.objects.create(tenant=tenant, name="Chat", kind="chat")
    channel.keep_secrets({"link_key": "k" * 32})
    channel.save()
    ana = make_person("ana@acme.example")
    text = admin_client.get(page_of(ana)).content.decode()
    assert "/admin/channels_app/delivery/?recipient=ana%40acme.example" in text
    assert "/chat/" in text


def test_a_chat_whose_secrets_no_key_opens_is_left_out_of_a_persons_page(
    admin_client, make_person, tenant, settings
):
    make_channel(tenant, name="Lost chat")
    settings.FERNET_KEYS = [Fernet.generate_key().decode()]
    make_channel(tenant, name="Chat of today")
    Channel.objects.create(tenant=tenant, name="Chat without a key", kind="chat")
    page = admin_client.get(page_of(make_person("ana")))
    assert page.status_code == 200
    windows = re.findall(r"Chat window · ([^<]+)<", page.content.decode())
    assert windows == ["Chat of today"]


@pytest.mark.parametrize("group", ["Composer", "Approver", "Operator", "Agent", "Auditor"])
def test_readers_see_a_person_without_the_chat_link_and_change_nothing(
    client_as, make_person, tenant, group
):
    channel = Channel.objects.create(tenant=tenant, name="Chat", kind="chat")
    channel.keep_secrets({"link_key": "k" * 32})
    channel.save()
    ana = make_person("ana", name="Ana Ruiz", addresses={"email": "a@b.example"})
    client = client_as(group)
    page = client.get(page_of(ana))
    assert page.status_code == 200
    assert "a@b.example" in page.content.decode()
    # Opening a chat marks its messages as read, which a reader must not.
    assert "/chat/" not in page.content.decode()
    assert client.post(page_of(ana), fields(name="Changed")).status_code == 403
    assert client.get(ADD).status_code == 403
    assert client.post(page_of(ana, "delete"), {"post": "yes"}).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_two_who_add_the_same_login_at_once_get_one_person_and_one_message(admin_client, tenant):
    start = threading.Barrier(2)
    pages = []

    def add() -> None:
        try:
            client = Client()
            client.cookies = admin_client.cookies.copy()
            start.wait(10)
            pages.append(client.post(ADD, fields(login="ana")))
        finally:
            connection.close()

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(page.status_code for page in pages) == [200, 302]
    [refused] = [page for page in pages if page.status_code == 200]
    assert b"A recipient with this login exists." in refused.content
    assert tenant.recipients.count() == 1
