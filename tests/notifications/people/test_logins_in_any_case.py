"""A login is one person's in any case, also in letters that a database's LOWER does not know."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction

from notifications.admin.people.recipients import RecipientAdmin
from notifications.models import Notification, Recipient
from notifications.people import save_recipient
from project.access.audit import Actor
from tests.support.channels import make_channel
from tests.support.composing import composed, press, problems, shows
from tests.support.luma import PATH, request, token_for

LIST = "/admin/notifications/recipient/"
SAME = [
    ("Änna@x.example", "änna@x.example"),
    ("änna@x.example", "ÄNNA@X.example"),
    ("ΆΝΝΑ", "άννα"),
    ("Юлий", "юЛИЙ"),
]

pytestmark = pytest.mark.django_db


def imported(folder: Path, *logins: str) -> dict[str, int]:
    path, out = folder / "people.csv", StringIO()
    path.write_text("\n".join(["login", *logins]))
    call_command("import_recipients", str(path), "--tenant", "Acme Utilities", "--json", stdout=out)
    report = json.loads(out.getvalue())
    return {name: report[name] for name in ("new", "changed", "unchanged") if report[name]}


def shown(page) -> list[str]:
    return [person.login for person in page.context["cl"].result_list]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_an_import_finds_the_person_again(tmp_path, tenant, one, other):
    assert imported(tmp_path, one) == {"new": 1}
    assert imported(tmp_path, other) == {"unchanged": 1}
    assert [person.login for person in tenant.recipients.all()] == [one]


def test_an_import_that_changes_a_person_leaves_them_to_be_found(check, take_in, tenant):
    take_in("login,name\nÄnna,one\n")
    for login in ("änna", "ÄNNA", "Änna"):
        take_in(f"login,name\n{login},{login}\n")
    assert tenant.recipients.values_list("login", "name").get() == ("Änna", "Änna")
    counts = check("login,name\nänna,Änna\n").context["result"].report.counts
    assert dict(counts) == {"unchanged": 1}


@pytest.mark.parametrize(("one", "other"), SAME)
def test_a_form_says_on_the_login_that_it_is_taken(admin_client, make_person, tenant, one, other):
    make_person(one)
    page = admin_client.post(f"{LIST}add/", {"login": other, "is_active": "on"})
    assert page.context["adminform"].form.errors["login"] == ["A recipient with this login exists."]
    assert tenant.recipients.count() == 1


def test_a_person_may_be_given_their_login_in_another_case(admin_client, make_person):
    anna = make_person("Änna")
    data = {"login": "änna", "is_active": "on"}
    for rows in ("addresses", "opt_outs"):
        data |= {f"{rows}-TOTAL_FORMS": "0", f"{rows}-INITIAL_FORMS": "0"}
    assert admin_client.post(f"{LIST}{anna.pk}/change/", data).status_code == 302
    anna.refresh_from_db()
    assert anna.login == "änna"


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_database_keeps_out_whom_no_form_has_checked(make_person, tenant, one, other):
    make_person(one)
    again = Recipient(tenant=tenant, login=other)
    with pytest.raises(ValidationError, match="A recipient with this login exists"):
        again.full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        save_recipient(again, by=Actor.hub("tests"))
    with pytest.raises(IntegrityError), transaction.atomic():
        Recipient.objects.bulk_create([Recipient(tenant=tenant, login=other)])


def test_another_tenant_may_have_the_login_too(make_person, other_tenant, tmp_path):
    make_person("Änna", of=other_tenant)
    assert imported(tmp_path, "änna") == {"new": 1}


def test_letters_that_mean_different_people_stay_two(tmp_path, tenant):
    assert imported(tmp_path, "groß", "gross", "anna", "änna") == {"new": 4}


def test_the_longest_login_may_be_made_of_letters_that_grow(admin_client, tmp_path, tenant):
    longest = "İ" * 254  # each is i and a dot above in small letters
    assert imported(tmp_path, longest) == {"new": 1}
    assert imported(tmp_path, longest) == {"unchanged": 1}
    page = admin_client.post(f"{LIST}add/", {"login": longest, "is_active": "on"})
    assert page.context["adminform"].form.errors["login"] == ["A recipient with this login exists."]


def test_the_list_is_in_the_order_of_small_letters(admin_client, make_person, monkeypatch):
    monkeypatch.setattr(RecipientAdmin, "list_per_page", 1)
    for login in ("ÄNNE", "änna", "Ännf"):
        make_person(login)
    first = admin_client.get(LIST)
    second = admin_client.get(LIST + first.context["cl"].next_url)
    third = admin_client.get(LIST + second.context["cl"].next_url)
    assert [*shown(first), *shown(second), *shown(third)] == ["änna", "ÄNNE", "Ännf"]
    assert shown(admin_client.get(LIST + third.context["cl"].previous_url)) == ["ÄNNE"]


def test_the_lists_search_finds_a_part_of_a_login(admin_client, make_person):
    make_person("Änna.Öst@x.example")
    make_person("bo")
    for query in ("änna", "ÖST", "A.ös", "X.EXAMPLE"):
        assert shown(admin_client.get(LIST, {"q": query})) == ["Änna.Öst@x.example"]


@pytest.mark.parametrize("part", ["änna", "ÄNN", "X.exa"])
def test_a_composer_is_offered_whose_login_holds_what_they_type(client_as, make_person, part):
    make_person("Änna@x.example", name="Somebody")
    found = "/admin/notifications/notification/compose/found/"
    assert shows(client_as("Administrator").get(found, {"find": part}), "Somebody")


@pytest.mark.parametrize(("one", "other"), SAME)
def test_a_message_reaches_whom_a_composer_names(client_as, make_person, tenant, one, other):
    make_channel(tenant, "chat", name="Chat", is_default=True)
    make_person(one, name="Anna Alm")
    admin = client_as("Administrator")
    page = press(admin, "check", everyone=None, contacts=f"{one}\n{other}")
    assert shows(page, "Anna Alm")
    assert not any("Nobody is known" in problem for problem in problems(page))
    notification = composed(admin, "send", everyone=None, contacts=other)
    assert notification.approved_count == 1


def test_a_composer_takes_out_whom_they_named(client_as, make_person, tenant):
    make_channel(tenant, "chat", name="Chat", is_default=True)
    make_person("Änna")
    page = press(client_as("Administrator"), "", everyone=None, contacts="Änna\nbo", remove="änna")
    assert page.context["form"].named == ("bo",)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_luma_s_callers_reach_each_person_once(client, make_person, tenant, one, other):
    make_channel(tenant, "chat", name="Chat", is_default=True)
    make_person(one)
    answer = client.post(
        PATH,
        json.dumps(request([other, one])),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token_for(tenant)}"},
    ).json()
    assert (answer["data"], answer["errors"]) == ("success", [])
    assert Notification.objects.get().approved_count == 1


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_notify_command_finds_them(make_person, tenant, one, other):
    make_channel(tenant, "chat", name="Chat", is_default=True)
    make_person(one)
    where = ("--tenant", tenant.name)
    call_command("notify", "--to", other, one, "--text", "Hello", *where, stdout=StringIO())
    assert Notification.objects.get().approved_count == 1
