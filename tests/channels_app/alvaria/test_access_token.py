"""The token route: client credentials, as Alvaria's document and RFC 6749 have them."""

from base64 import b64encode
from datetime import timedelta
from uuid import UUID

import pytest
import time_machine
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import AccessToken, Application

from channels_app.models import Session
from channels_app.vendors.alvaria import token as token_route
from project.access import tasks
from project.access.models.client import Scope
from project.access.oauth import issue_credentials
from tests.support.alvaria import BY, TOKEN_PATH, CustomServer, make_api_client

pytestmark = pytest.mark.django_db


def basic(name: str, secret: str) -> str:
    return f"Basic {b64encode(f'{name}:{secret}'.encode()).decode()}"


def refused(answer, status: int, code: str) -> str:
    """Check an answer of RFC 6749, section 5.2; return its description."""
    assert (answer.status_code, answer.json()["error"]) == (status, code), answer.content
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "no-store"
    return str(answer.json().get("error_description", ""))


def test_a_token_is_given_as_the_document_prints_it(server):
    answer = server.ask_for_token(realm=server.org_id)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "no-store"
    given = answer.json()
    assert UUID(given.pop("access_token")).version == 4
    assert given == {"scope": "servermessagingapi", "token_type": "Bearer", "expires_in": 3599}


def test_the_realm_may_stand_in_the_address_or_nowhere(server):
    assert server.ask_for_token(query=f"?realm={server.org_id}").status_code == 200
    assert server.ask_for_token().status_code == 200


def test_without_a_scope_it_is_the_one_there_is(server):
    assert server.ask_for_token(scope="").json()["scope"] == "servermessagingapi"


def test_another_realm_is_refused(server, other_tenant):
    answer = server.ask_for_token(realm=other_tenant.org_id)
    assert "realm" in refused(answer, 400, "unauthorized_client")
    two = server.ask_for_token(query="?realm=somewhere", realm=server.org_id)
    assert "Two different realms" in refused(two, 400, "invalid_request")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"scope": "provisioningapi"}, "invalid_scope"),
        ({"scope": "servermessagingapi provisioningapi"}, "invalid_scope"),
    ],
)
def test_what_is_not_served_is_refused_by_its_code(server, fields, code):
    refused(server.ask_for_token(**fields), 400, code)


@pytest.mark.parametrize(
    "fields",
    [
        "grant_type=client_credentials&grant_type=client_credentials",
        "grant_type=client_credentials&grant_type=password",
        "grant_type=client_credentials&scope=servermessagingapi&scope=servermessagingapi",
        "grant_type=client_credentials&client_id=other",
        "grant_type=client_credentials&client_id=other&client_secret=x",
        "grant_type=client_credentials&scope=server%00messagingapi",
        "grant_type=client_credentials&no%00field=1",
    ],
)
def test_fields_that_contradict_are_refused(server, fields):
    made = server.credentials
    answer = server.browser.post(
        TOKEN_PATH,
        fields,
        content_type="application/x-www-form-urlencoded",
        headers={"Authorization": basic(made.client_id, made.client_secret)},
    )
    refused(answer, 400, "invalid_request")


@pytest.mark.parametrize("empty", ["client_id=", "client_secret=", "client_id=&client_secret="])
@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_empty_fields_and_the_case_of_the_scheme_mean_nothing(server, empty, scheme):
    made = server.credentials
    pair = basic(made.client_id, made.client_secret).partition(" ")[2]
    answer = server.browser.post(
        TOKEN_PATH,
        f"grant_type=client_credentials&{empty}",
        content_type="application/x-www-form-urlencoded",
        headers={"Authorization": f"{scheme} {pair}"},
    )
    assert answer.status_code == 200


def test_a_client_authenticates_in_one_way(server):
    made = server.credentials
    both = server.ask_for_token(client_id=made.client_id, client_secret=made.client_secret)
    assert "two ways" in refused(both, 400, "invalid_request")
    fields = {"client_id": made.client_id, "client_secret": made.client_secret}
    assert server.ask_for_token(auth="", **fields).status_code == 200
    assert server.ask_for_token(client_id=made.client_id).status_code == 200
    fields["client_id"] += "\0"
    refused(server.ask_for_token(auth="", **fields), 400, "invalid_request")


def test_tokens_that_have_ended_are_removed_once_an_hour(server, tenant):
    one = server.token
    with time_machine.travel(timezone.now() + timedelta(minutes=30)):
        server.sign_in()
    with time_machine.travel(timezone.now() + timedelta(minutes=70)):
        tasks.sweep()
        assert AccessToken.objects.count() == 1
        assert server.open().status_code == 202
        server.token = one
        assert server.open().status_code == 401


@pytest.mark.parametrize(
    "auth",
    [
        "",
        "Basic",
        "Basic !!",
        basic("no\0body", "x"),
        "Basic YWxs",
        "Bearer x",
        basic("nobody", "x"),
        basic("", ""),
    ],
)
def test_who_is_not_known_gets_401(server, auth):
    answer = server.ask_for_token(auth=auth)
    refused(answer, 401, "invalid_client")
    assert answer["WWW-Authenticate"].startswith("Basic")


def test_a_wrong_secret_opens_nothing(server):
    made = server.credentials
    refused(server.ask_for_token(auth=basic(made.client_id, "wrong")), 401, "invalid_client")
    longer = basic(made.client_id, f"{made.client_secret}x")
    refused(server.ask_for_token(auth=longer), 401, "invalid_client")


def test_a_client_at_rest_gets_no_token_and_its_tokens_end(server):
    server.client.is_active = False
    server.client.save()
    refused(server.ask_for_token(), 401, "invalid_client")
    assert server.open().status_code == 401


def test_a_client_without_the_scope_gets_no_token_and_its_tokens_end(server):
    server.client.scopes = [Scope.LUMA_NOTIFY]
    server.client.save()
    refused(server.ask_for_token(), 400, "invalid_scope")
    assert server.open().status_code == 401


def test_only_a_form_is_read_and_only_posts_are_served(server):
    browser = Client()
    answer = browser.post(TOKEN_PATH, b"{}", content_type="application/json")
    refused(answer, 400, "invalid_request")
    answer = browser.get(TOKEN_PATH)
    refused(answer, 405, "invalid_request")
    assert answer["Allow"] == "POST"


def test_a_body_that_is_too_large_is_refused_in_the_dialect_and_in_no_log(server, settings, caplog):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    refused(server.ask_for_token(state="x" * 2000), 413, "invalid_request")
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 10
    many = {f"f{number}": "x" for number in range(20)}
    refused(server.ask_for_token(**many), 400, "invalid_request")
    assert not [line for line in caplog.records if line.levelname == "ERROR"]


def test_neither_tokens_nor_secrets_are_stored(server):
    token = AccessToken.objects.get(application=server.client.application)
    held = [str(value) for value in vars(token).values()]
    assert not any(server.token in value for value in held)
    stored = Application.objects.get().client_secret
    assert server.credentials.client_secret not in stored
    server.client.refresh_from_db()
    assert server.credentials.api_key not in server.client.api_key_digest


def test_a_token_ends_after_an_hour(server):
    with time_machine.travel(timezone.now() + timedelta(seconds=3590)):
        assert server.open().status_code == 202
    with time_machine.travel(timezone.now() + timedelta(seconds=3601)):
        answer = server.open()
        assert (answer.status_code, answer.content) == (401, b"")
    assert Session.objects.count() == 1


def test_new_credentials_end_the_old_ones_at_once(server):
    old = server.credentials
    made = issue_credentials(server.client, by=BY)
    assert made.client_id == old.client_id, "who it is stays"
    assert server.open().status_code == 401
    refused(server.ask_for_token(), 401, "invalid_client")
    anew = CustomServer(server.client, made).sign_in()
    assert anew.open().status_code == 202
    assert anew.open(x_api_key=old.api_key).status_code == 401


def test_those_who_send_their_id_in_the_form_are_counted_apart(server, monkeypatch):
    monkeypatch.setattr(token_route, "MOST", 2)
    for _ in range(3):
        stranger = server.ask_for_token(auth="", client_id="nobody", client_secret="x")
    assert stranger.status_code == 429
    made = server.credentials
    fields = {"client_id": made.client_id, "client_secret": made.client_secret}
    assert server.ask_for_token(auth="", **fields).status_code == 200


def test_what_was_not_removed_is_removed_by_the_next_sweep(server, monkeypatch):
    done: list[int] = []

    def clear() -> None:
        done.append(len(done))
        if len(done) == 1:
            raise OperationalError("the database is away")

    monkeypatch.setattr(tasks, "clear_expired", clear)
    for _ in range(3):
        tasks.sweep()
    assert len(done) == 2


def test_whoever_asks_too_often_waits_and_nobody_else_does(server, tenant):
    for _ in range(120):
        server.ask_for_token(auth=basic(server.credentials.client_id, "guess"))
    answer = server.ask_for_token()
    refused(answer, 429, "temporarily_unavailable")
    assert 1 <= int(answer["Retry-After"]) <= 60
    other = CustomServer(make_api_client(tenant, "Other system"))
    assert other.ask_for_token().status_code == 200
