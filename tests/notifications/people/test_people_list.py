import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from notifications.admin.people.recipients import RecipientAdmin
from project.access.models import AuditEntry

LIST = "/admin/notifications/recipient/"

pytestmark = pytest.mark.django_db


def shown(page) -> list[str]:
    return [person.login for person in page.context["cl"].result_list]


def test_the_list_shows_a_person_in_one_row(admin_client, make_person):
    make_person(
        "ana",
        name="Ana Ruiz",
        locale="es",
        time_zone="Europe/Madrid",
        roles=[-4],
        addresses={"email": "ana@acme.example"},
        opt_outs={"chat"},
        is_active=False,
    )
    text = admin_client.get(LIST).content.decode()
    for word in ("ana", "Ana Ruiz", "es", "Europe/Madrid", "Self-service user", "at rest"):
        assert word in text
    assert "ana@acme.example" in text


def test_people_of_another_tenant_are_not_listed(admin_client, make_person, other_tenant):
    make_person("ana")
    make_person("theirs", of=other_tenant)
    assert shown(admin_client.get(LIST)) == ["ana"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=RUIZ", ["ana"]),
        ("q=hook-9", ["bo"]),
        ("q=a+ruiz", ["ana"]),
        ("q=nobody", []),
        ("q=%00", ["ana", "bo"]),
        ("q=%25", []),
        ("role=-4", ["ana"]),
        ("role=77", []),  # another tenant's
        ("role=0%20or%201", []),
        ("active=no", ["bo"]),
        ("active=yes", ["ana"]),
        ("role=-4&active=no", []),
    ],
)
def test_people_are_found_by_login_name_address_role_and_state(
    admin_client, make_person, query, found
):
    make_person("ana", name="Ana Ruiz", roles=[-4])
    make_person("bo", addresses={"webhook": "hook-9"}, is_active=False)
    assert shown(admin_client.get(f"{LIST}?{query}")) == found


def test_pages_go_forth_and_back_by_key(admin_client, make_person, monkeypatch):
    monkeypatch.setattr(RecipientAdmin, "list_per_page", 2)
    for login in ("Eve", "ana", "Chidi", "bo", "dana"):
        make_person(login)
    first = admin_client.get(LIST)
    assert shown(first) == ["ana", "bo"]
    assert not first.context["cl"].previous_url
    second = admin_client.get(LIST + first.context["cl"].next_url)
    assert shown(second) == ["Chidi", "dana"]
    third = admin_client.get(LIST + second.context["cl"].next_url)
    assert shown(third) == ["Eve"]
    assert not third.context["cl"].next_url
    back = admin_client.get(LIST + third.context["cl"].previous_url)
    assert shown(back) == ["Chidi", "dana"]


def test_a_filter_on_a_later_page_starts_at_the_first(admin_client, make_person, monkeypatch):
    monkeypatch.setattr(RecipientAdmin, "list_per_page", 1)
    make_person("ana", roles=[-4])
    make_person("bo", roles=[-4])
    first = admin_client.get(LIST)
    second = admin_client.get(LIST + first.context["cl"].next_url)
    [role_filter, _active] = second.context["cl"].filter_specs
    links = [choice["query_string"] for choice in role_filter.choices(second.context["cl"])]
    assert all("after" not in link for link in links)


@pytest.mark.parametrize("key", ["%00", "'%3B--", "x" * 3000, "%F0%9F%92%A9"])
def test_a_made_up_key_does_no_harm(admin_client, make_person, key):
    make_person("ana")
    for name in ("after", "before"):
        assert admin_client.get(f"{LIST}?{name}={key}").status_code == 200


def test_the_list_takes_the_same_few_queries_for_many_people_and_counts_nothing(
    admin_client, make_person
):
    make_person("user0", roles=[-1], addresses={"email": "0@acme.example"}, opt_outs={"*"})
    admin_client.get(LIST)
    with CaptureQueriesContext(
        connection,
    ) as one:
        admin_client.get(LIST)
    for number in range(1, 40):
        make_person(
            f"user{number}",
            roles=[-1, -4],
            addresses={"email": f"{number}@acme.example", "chat": str(number)},
            opt_outs={"chat"},
        )
    with CaptureQueriesContext(connection) as many:
        admin_client.get(LIST)
    assert len(many) == len(one) <= 16
    about_people = [query["sql"] for query in many if '"notifications_recipient"' in query["sql"]]
    assert not any("COUNT(" in sql for sql in about_people)


def test_names_are_shown_escaped(admin_client, make_person):
    make_person("<script>alert(1)</script>", name="<b>bold</b>", addresses={"chat": "<i>x</i>"})
    text = admin_client.get(LIST).content.decode()
    assert "<script>alert" not in text
    assert "<b>bold" not in text
    assert "<i>x" not in text
    assert "&lt;b&gt;bold" in text


def test_an_action_puts_the_chosen_to_rest_and_says_so_in_the_audit_trail(
    admin_client, make_person, other_tenant
):
    ana, bo = make_person("ana"), make_person("bo")
    theirs = make_person("theirs", of=other_tenant)
    chosen = [ana.pk, theirs.pk]
    admin_client.post(LIST, {"action": "put_to_rest", "_selected_action": chosen})
    for person in (ana, bo, theirs):
        person.refresh_from_db()
    assert (ana.is_active, bo.is_active, theirs.is_active) == (False, True, True)
    entry = AuditEntry.objects.get(action="recipient.deactivate")
    assert entry.details == {"count": 1, "logins": ["ana"]}
    admin_client.post(LIST, {"action": "activate", "_selected_action": [ana.pk]})
    ana.refresh_from_db()
    assert ana.is_active


@pytest.mark.parametrize("group", ["Composer", "Approver", "Operator", "Agent", "Auditor"])
def test_readers_see_the_list_and_cannot_act_on_it(client_as, make_person, group):
    ana = make_person("ana")
    client = client_as(group)
    assert shown(client.get(LIST)) == ["ana"]
    client.post(LIST, {"action": "put_to_rest", "_selected_action": [ana.pk]})
    ana.refresh_from_db()
    assert ana.is_active
