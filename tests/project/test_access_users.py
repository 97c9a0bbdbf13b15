"""Accounts: what an Administrator gives, and what nobody can take."""

import pytest
from django.contrib.auth.models import Group, Permission

from project.access.models import AuditEntry, User

ADD = "/admin/access/user/add/"
PASSWORD = "eleven green bottles"


def page_of(user: User) -> str:
    return f"/admin/access/user/{user.pk}/change/"


def group(name: str) -> Group:
    return Group.objects.get_or_create(name=name)[0]


def new_account(**fields) -> dict[str, object]:
    return {
        "username": "lena",
        "first_name": "Lena",
        "password1": PASSWORD,
        "password2": PASSWORD,
        "groups": [group("Composer").pk],
        **fields,
    }


@pytest.fixture
def administrator(make_user):
    return make_user("Administrator")


@pytest.fixture
def browser(sign_in, administrator):
    return sign_in(administrator)


def test_an_administrator_adds_a_person_who_can_then_sign_in(browser, client, tenant):
    assert browser.post(ADD, new_account()).status_code == 302
    lena = User.objects.get(username="lena")
    assert lena.tenant == tenant
    assert [str(each) for each in lena.groups.all()] == ["Composer"]
    answer = client.post("/admin/login/?next=/admin/", {"username": "lena", "password": PASSWORD})
    assert answer["Location"] == "/admin/"


def test_rights_beyond_the_groups_cannot_be_posted(browser, tenant, other_tenant):
    permission = Permission.objects.get(codename="delete_tenant")
    browser.post(
        ADD,
        new_account(
            is_superuser="on", user_permissions=[permission.pk], tenant=other_tenant.pk, is_staff=""
        ),
    )
    lena = User.objects.get(username="lena")
    assert not lena.is_superuser
    assert lena.is_staff
    assert lena.tenant == tenant
    assert not lena.user_permissions.exists()


def test_a_group_that_is_not_one_of_ours_cannot_be_given(browser):
    shadow = Group.objects.create(name="Shadow")
    answer = browser.post(ADD, new_account(groups=[shadow.pk]))
    assert "is not one of the available choices" in answer.content.decode()
    assert not User.objects.filter(username="lena").exists()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("username", "", "This field is required."),
        ("username", "x" * 151, "at most 150 characters"),
        ("username", "<script>", "Enter a valid username"),
        ("username", "a\x00b", "Null characters are not allowed."),
        ("email", "not an address", "Enter a valid email address."),
        ("time_zone", "Mars/Olympus", "Select a valid choice."),
        ("password2", "another", "match"),
        ("groups", ["no"], "is not a valid value"),
    ],
)
def test_each_field_says_what_is_wrong_with_it(browser, field, value, words):
    answer = browser.post(ADD, new_account(**{field: value}))
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert not User.objects.filter(username="lena").exists()


def test_a_name_that_differs_only_in_case_is_taken(browser, make_user):
    make_user(username="Lena")
    answer = browser.post(ADD, new_account())
    assert "Somebody has this name already" in answer.content.decode()


def test_a_change_of_groups_is_written_down_with_both_sides(browser, administrator, make_user):
    bo = make_user("Composer", username="bo")
    browser.post(page_of(bo), {"username": "bo", "is_active": "on", "groups": group("Auditor").pk})
    entry = AuditEntry.objects.get(action="user.groups")
    assert entry.details == {"before": ["Composer"], "after": ["Auditor"]}
    assert entry.actor_name == administrator.username


def test_people_of_another_tenant_do_not_exist(browser, make_user, other_tenant):
    foreign = make_user("Composer", of=other_tenant, username="stranger")
    assert "stranger" not in browser.get("/admin/access/user/").content.decode()
    assert browser.get(page_of(foreign)).status_code == 302
    assert browser.post(page_of(foreign), {"username": "mine"}).status_code == 302
    assert browser.get(f"/admin/access/user/{foreign.pk}/password/").status_code == 404
    browser.post(
        "/admin/access/user/",
        {"action": "delete_selected", "_selected_action": [foreign.pk], "post": "yes"},
    )
    foreign.refresh_from_db()
    assert foreign.username == "stranger"


def test_a_superuser_is_out_of_an_administrators_reach(browser, make_user):
    boss = make_user(username="boss", is_superuser=True)
    html = browser.get(page_of(boss)).content.decode()
    assert "boss" in html
    assert 'name="_save"' not in html
    assert browser.post(page_of(boss), {"username": "mine"}).status_code == 403
    new = {"password1": PASSWORD, "password2": PASSWORD}
    assert browser.post(f"/admin/access/user/{boss.pk}/password/", new).status_code == 403
    assert browser.post(f"/admin/access/user/{boss.pk}/delete/", {"post": "yes"}).status_code == 403
    boss.refresh_from_db()
    assert boss.check_password("a quiet morning")


def test_nobody_takes_their_own_rights_away(browser, administrator):
    browser.post(page_of(administrator), {"username": administrator.username, "groups": []})
    administrator.refresh_from_db()
    assert administrator.is_active
    assert administrator.groups.filter(name="Administrator").exists()
    assert browser.get(f"/admin/access/user/{administrator.pk}/password/").status_code == 403
    own = f"/admin/access/user/{administrator.pk}/delete/"
    assert browser.post(own, {"post": "yes"}).status_code == 403


def test_deleting_several_leaves_oneself(browser, administrator, make_user):
    make_user(username="gone")
    both = User.objects.filter(username__in=["gone", administrator.username])
    browser.post(
        "/admin/access/user/",
        {
            "action": "delete_selected",
            "_selected_action": list(both.values_list("pk", flat=True)),
            "post": "yes",
        },
    )
    assert User.objects.filter(pk=administrator.pk).exists()


def test_a_new_password_is_handed_over_and_leaves_no_trace_of_itself(browser, make_user):
    bo = make_user("Composer", username="bo")
    new = {"password1": PASSWORD, "password2": PASSWORD}
    assert browser.post(f"/admin/access/user/{bo.pk}/password/", new).status_code == 302
    bo.refresh_from_db()
    assert bo.check_password(PASSWORD)
    entry = AuditEntry.objects.get(action="user.password")
    assert entry.target_name == "bo"
    assert PASSWORD not in str(entry.details)


def test_a_password_that_differs_from_its_repetition_changes_nothing(browser, make_user):
    bo = make_user("Composer", username="bo")
    browser.post(
        f"/admin/access/user/{bo.pk}/password/", {"password1": PASSWORD, "password2": "other"}
    )
    bo.refresh_from_db()
    assert bo.check_password("a quiet morning")
    assert not AuditEntry.objects.filter(action="user.password").exists()


def test_an_auditor_reads_accounts_and_changes_none(client_as, make_user):
    bo = make_user("Composer", username="bo")
    browser = client_as("Auditor")
    assert "bo" in browser.get("/admin/access/user/").content.decode()
    html = browser.get(page_of(bo)).content.decode()
    assert 'name="_save"' not in html
    assert "set a new one" not in html
    assert browser.post(page_of(bo), {"username": "mine"}).status_code == 403
    assert browser.get(f"/admin/access/user/{bo.pk}/password/").status_code == 403
    assert browser.get(ADD).status_code == 403


def test_a_superuser_sees_those_without_a_tenant_too(sign_in, superuser, make_user):
    make_user("Agent", username="lena")
    html = sign_in(superuser).get("/admin/access/user/").content.decode()
    assert "lena" in html
    assert "root" in html
