"""Calling systems and their tokens."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from project.access.models import ApiClient, AuditEntry
from project.access.models.client import Scope
from project.access.oauth import Credentials
from project.access.services import client_for
from tests.support.alvaria import CustomServer, make_api_client

LIST = "/admin/access/apiclient/"


@pytest.fixture
def system(tenant):
    return ApiClient.objects.create(tenant=tenant, name="Luma", scopes=["luma.notify"])


@pytest.fixture
def browser(client_as):
    return client_as("Administrator")


def do(browser, system, deed, **fields):
    return browser.post(f"{LIST}{system.pk}/tokens/{deed}/", fields)


def token_on(response) -> str:
    found = re.search(r'id="token">(car_[\w-]+)<', response.content.decode())
    assert found, "the page shows no token"
    return found[1]


def test_a_token_is_shown_once_and_opens_the_door(browser, system):
    response = do(browser, system, "issue", days="90")
    plain = token_on(response)
    assert client_for(plain) == system
    assert "no-store" in response["Cache-Control"]
    later = browser.get(f"{LIST}{system.pk}/change/").content.decode()
    assert plain not in later
    assert plain[:10] in later


@pytest.mark.parametrize(("days", "left"), [("30", 30), ("365", 365), ("", None)])
def test_a_token_ends_when_it_was_said_to(browser, system, days, left):
    do(browser, system, "issue", days=days)
    ends = system.tokens.get().expires_at
    if left is None:
        assert ends is None
    else:
        assert (ends - timezone.now()).days in {left, left - 1}


def test_a_rotation_leaves_the_old_token_for_the_overlap(browser, system):
    old = token_on(do(browser, system, "issue", days=""))
    new = token_on(do(browser, system, "rotate", days="365", hours="24"))
    assert client_for(old) == client_for(new) == system
    first = system.tokens.order_by("pk")[0]
    assert abs(first.expires_at - timezone.now() - timedelta(days=1)) < timedelta(minutes=1)


def test_a_rotation_can_end_the_old_token_at_once(browser, system):
    old = token_on(do(browser, system, "issue", days=""))
    new = token_on(do(browser, system, "rotate", days="365", hours="0"))
    assert client_for(old) is None
    assert client_for(new) == system


def test_a_revoked_token_opens_nothing(browser, system):
    plain = token_on(do(browser, system, "issue", days=""))
    response = browser.post(
        f"{LIST}{system.pk}/tokens/{system.tokens.get().pk}/revoke/", follow=True
    )
    assert "is revoked" in response.content.decode()
    assert client_for(plain) is None


def test_each_deed_is_written_down_without_the_secret(browser, system):
    plain = token_on(do(browser, system, "issue", days=""))
    do(browser, system, "rotate", days="", hours="1")
    browser.post(f"{LIST}{system.pk}/tokens/{system.tokens.latest('pk').pk}/revoke/")
    entries = AuditEntry.objects.filter(target_name="Luma").order_by("pk")
    assert [each.action for each in entries] == ["token.issue", "token.issue", "token.revoke"]
    assert not [each for each in entries if plain in str(each.details)]


@pytest.mark.parametrize(
    ("deed", "fields"),
    [
        ("issue", {"days": "36500"}),
        ("issue", {"days": "<script>"}),
        ("rotate", {"days": "30", "hours": "never"}),
        ("rotate", {"days": "30"}),
    ],
)
def test_a_time_that_is_not_offered_makes_no_token(browser, system, deed, fields):
    response = browser.post(f"{LIST}{system.pk}/tokens/{deed}/", fields, follow=True)
    assert "Choose one of the times offered." in response.content.decode()
    assert not system.tokens.exists()


@pytest.mark.parametrize("deed", ["issue", "rotate", "1/revoke"])
def test_another_tenants_system_does_not_exist(browser, other_tenant, deed):
    foreign = ApiClient.objects.create(tenant=other_tenant, name="Theirs")
    assert do(browser, foreign, deed, days="30", hours="0").status_code == 404
    assert not foreign.tokens.exists()
    assert "Theirs" not in browser.get(LIST).content.decode()


@pytest.mark.parametrize("deed", ["issue", "rotate"])
def test_a_token_is_made_by_pressing_a_button_only(browser, system, deed):
    assert browser.get(f"{LIST}{system.pk}/tokens/{deed}/").status_code == 405
    assert not system.tokens.exists()


def test_an_auditor_sees_tokens_and_touches_none(client_as, browser, system):
    do(browser, system, "issue", days="")
    auditor = client_as("Auditor")
    html = auditor.get(f"{LIST}{system.pk}/change/").content.decode()
    assert "car_" in html
    assert "Issue token" not in html
    assert "Revoke" not in html
    for deed in ("issue", "rotate", f"{system.tokens.get().pk}/revoke"):
        assert do(auditor, system, deed, days="30", hours="0").status_code == 403
    assert system.tokens.get().revoked_at is None


def test_scopes_are_ticked_and_kept_as_a_list(browser, tenant):
    browser.post(
        f"{LIST}add/",
        {"name": "Desk", "scopes": ["luma.notify"], "rate_limit": "60", "is_active": "on"},
    )
    assert ApiClient.objects.get(tenant=tenant, name="Desk").scopes == ["luma.notify"]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("scopes", ["everything"], "is not one of the available choices"),
        ("rate_limit", "-1", "greater than or equal to 0"),
        ("rate_limit", "many", "Enter a whole number."),
        ("rate_limit", "9" * 30, "less than or equal to"),
        ("name", "", "This field is required."),
        ("name", "x" * 101, "at most 100 characters"),
        ("name", "Luma", "name"),
    ],
)
def test_each_field_says_what_is_wrong_with_it(browser, system, field, value, words):
    sent = {"name": "Desk", "scopes": [], "rate_limit": "60", field: value}
    response = browser.post(f"{LIST}add/", sent)
    assert response.status_code == 200
    assert "errornote" in response.content.decode()
    assert words in response.content.decode()
    assert ApiClient.objects.count() == 1


# --- OAuth credentials ---------------------------------------------------------------------------


def made_credentials(admin, client) -> dict[str, str]:
    client.refresh_from_db()
    before = {"before": client.credentials_mark}
    page = admin.post(f"/admin/access/apiclient/{client.pk}/credentials/", before)
    assert "no-store" in page["Cache-Control"]
    found = re.findall(r'id="(client-id|client-secret|api-key)">([^<]+)<', page.content.decode())
    return dict(found)


def test_oauth_credentials_are_shown_once_and_open_the_route(client_as, tenant):
    admin, client = client_as("Administrator"), make_api_client(tenant)
    address = f"/admin/access/apiclient/{client.pk}/change/"
    assert "None yet" in admin.get(address).content.decode()
    made = made_credentials(admin, client)
    given = Credentials(made["client-id"], made["client-secret"], made["api-key"])
    assert CustomServer(client, given).sign_in().token
    page = admin.get(address).content.decode()
    assert made["client-id"] in page
    assert made["client-secret"] not in page
    assert made["api-key"] not in page
    again = made_credentials(admin, client)
    assert again["client-id"] == made["client-id"]
    assert CustomServer(client, given).ask_for_token().status_code == 401


def test_the_same_press_again_makes_no_others(client_as, tenant):
    admin, client = client_as("Administrator"), make_api_client(tenant)
    made = made_credentials(admin, client)
    again = admin.post(f"/admin/access/apiclient/{client.pk}/credentials/", {"before": ""})
    assert again.status_code == 302
    given = Credentials(made["client-id"], made["client-secret"], made["api-key"])
    assert CustomServer(client, given).sign_in().token


def test_only_systems_that_may_use_them_are_offered_credentials(client_as, tenant):
    client = make_api_client(tenant, scopes=[Scope.LUMA_NOTIFY])
    page = client_as("Administrator").get(f"/admin/access/apiclient/{client.pk}/change/")
    assert "OAuth credentials" not in page.content.decode()


def test_nobody_else_makes_credentials(client_as, tenant, other_tenant):
    client, theirs = make_api_client(tenant), make_api_client(other_tenant, "Theirs")
    for group in ("Auditor", "Operator", "Agent", "Composer"):
        answer = client_as(group).post(f"/admin/access/apiclient/{client.pk}/credentials/")
        assert answer.status_code == 403
    admin = client_as("Administrator")
    assert admin.post(f"/admin/access/apiclient/{theirs.pk}/credentials/").status_code == 404
    assert admin.get(f"/admin/access/apiclient/{client.pk}/credentials/").status_code == 405
    client.refresh_from_db()
    assert client.application is None
