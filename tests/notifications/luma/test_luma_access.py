"""Who may call: tokens, scopes, limits, methods, and the wall between two tenants."""

import signal
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from channels_app.models import Delivery
from notifications.models import Notification
from notifications.templating import ensure_default_template
from project.access.models import ApiClient, ApiToken
from project.access.services import issue_token, revoke_token, rotate_token
from tests.support.channels import make_channel
from tests.support.luma import BY, JAKE, PATH, person, request, template, token_for
from tests.support.services import redis_server

pytestmark = pytest.mark.django_db

KEYS = ["timestamp", "status", "message", "errors", "data"]


def is_envelope(response: Any, status: int, message: str) -> bool:
    answer = response.json()
    assert list(answer) == KEYS
    assert response["Content-Type"] == "application/json"
    assert abs(answer["timestamp"] - time.time() * 1000) < 60_000
    assert answer["data"] is None
    assert answer["errors"], "an error that says nothing"
    assert all(isinstance(error, str) for error in answer["errors"])
    return bool(response.status_code == answer["status"] == status and answer["message"] == message)


def only_token() -> ApiToken:
    return ApiToken.objects.select_related("client__tenant").get()


@pytest.mark.parametrize(
    "auth", ["", "{}", "Token {}", "Basic amFrZTpwdw==", "Bearer", "Bearer{}", "bearer: {}"]
)
def test_without_a_bearer_token_the_answer_is_invalid_token(people, post, token, auth):
    response = post(auth=auth.format(token))
    assert is_envelope(response, 401, "invalid token")
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert not Notification.objects.exists()


@pytest.mark.parametrize("wrong", ["x", "{}x", "{} x", '"{}"', "\xff\xfe", "x" * 5000])
def test_a_token_that_opens_nothing_is_invalid(people, post, token, wrong):
    response = post(auth=f"Bearer {wrong.format(token)}")
    assert is_envelope(response, 401, "invalid token")
    assert response["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_the_scheme_may_be_written_in_any_case(people, post, token):
    assert post(auth=f"bearer  {token} ").status_code == 200


def test_an_expired_token_is_invalid(people, post):
    ApiToken.objects.update(expires_at=timezone.now() + timedelta(seconds=30))
    assert post().status_code == 200
    ApiToken.objects.update(expires_at=timezone.now())
    assert is_envelope(post(), 401, "invalid token")


def test_a_revoked_token_is_invalid_at_once(people, post):
    assert post().status_code == 200
    revoke_token(only_token(), by=BY)
    assert is_envelope(post(), 401, "invalid token")


def test_in_a_rotation_the_old_token_stays_good_for_the_overlap(people, post):
    _, fresh = rotate_token(only_token().client, by=BY, overlap=timedelta(hours=1))
    assert post().status_code == post(auth=f"Bearer {fresh}").status_code == 200
    with time_machine.travel(timezone.now() + timedelta(hours=1, seconds=1)):
        assert post().status_code == 401
        assert post(auth=f"Bearer {fresh}").status_code == 200


def test_a_resting_system_is_kept_out(people, post):
    ApiClient.objects.update(is_active=False)
    assert is_envelope(post(), 401, "invalid token")


@pytest.mark.parametrize("scopes", [[], ["luma"], ["LUMA.NOTIFY"]])
def test_a_token_without_the_scope_is_forbidden(people, post, scopes):
    ApiClient.objects.update(scopes=scopes)
    response = post()
    assert is_envelope(response, 403, "Forbidden")
    assert response["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'
    assert not Notification.objects.exists()


def test_a_person_who_is_signed_in_is_no_system(people, client_as):
    signed_in = client_as("Administrator")
    response = signed_in.post(PATH, request(), content_type="application/json")
    assert is_envelope(response, 401, "invalid token")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"])
@pytest.mark.parametrize("with_token", [True, False])
@pytest.mark.parametrize("path", [PATH, f"/vsa{PATH}/"])
def test_only_post_is_served(people, token, method, with_token, path):
    headers = {"Authorization": f"Bearer {token}"} if with_token else {}
    response = Client().generic(method, path, "{", "application/json", headers=headers)
    assert is_envelope(response, 405, "Method Not Allowed")
    assert response["Allow"] == "POST"


def test_head_is_refused_without_a_body(people):
    response = Client().head(PATH)
    assert (response.status_code, response["Allow"]) == (405, "POST")


def test_the_token_is_looked_at_before_the_body(people, post):
    assert post("{", auth="Bearer x").status_code == 401
    assert post("{", auth="Bearer x", Content_Type="text/html").status_code == 401
    ApiClient.objects.update(scopes=[])
    assert post("{").status_code == 403


def test_a_system_may_call_so_many_times_a_minute(people, post):
    ApiClient.objects.update(rate_limit=2)
    with time_machine.travel(datetime(2026, 5, 5, 12, 0, 20, tzinfo=UTC), tick=False) as clock:
        assert [post().status_code for _ in range(4)] == [200, 200, 429, 429]
        refused = post()
        assert is_envelope(refused, 429, "Too Many Requests")
        assert refused["Retry-After"] == "40"
        clock.shift(timedelta(seconds=40))
        assert post().status_code == 200
    assert Notification.objects.count() == 3


def test_refused_requests_count_as_well(people, post):
    ApiClient.objects.update(rate_limit=1)
    with time_machine.travel(datetime(2026, 5, 5, 12, 0, tzinfo=UTC), tick=False):
        assert [post("{").status_code, post().status_code] == [400, 429]


def test_no_limit_is_no_limit(people, post):
    ApiClient.objects.update(rate_limit=0)
    assert {post().status_code for _ in range(5)} == {200}


def test_each_system_has_a_limit_of_its_own(people, post, tenant):
    second = token_for(tenant, name="Second", rate_limit=1)
    ApiClient.objects.update(rate_limit=1)
    with time_machine.travel(datetime(2026, 5, 5, 12, 0, tzinfo=UTC), tick=False):
        assert [post().status_code for _ in range(2)] == [200, 429]
        assert post(auth=f"Bearer {second}").status_code == 200


@pytest.mark.parametrize(
    "backend", ["django.core.cache.backends.redis.RedisCache", "project.cache.RedisCache"]
)
def test_a_cache_that_is_down_keeps_nobody_out(people, post, settings, backend):
    location = "redis://127.0.0.1:1"  # nothing listens there
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": location}}
    assert post().status_code == 200


@pytest.mark.redis
def test_a_cache_that_came_back_counts_as_before(people, post, settings):
    ApiClient.objects.update(rate_limit=1)

    def call_twice() -> list[int]:
        with time_machine.travel(datetime(2026, 5, 5, 12, 0, tzinfo=UTC), tick=False):
            return [post().status_code for _ in range(2)]

    with redis_server() as server:
        cache = {"BACKEND": "project.cache.RedisCache", "LOCATION": server.url}
        settings.CACHES = {"default": cache}
        assert call_twice() == [200, 429]
        server.stop(signal.SIGKILL)
        server.start()  # it knows nothing of before
        assert call_twice() == [200, 429]


def test_use_of_a_token_is_noted_once_a_minute(people, post):
    with time_machine.travel(datetime(2026, 5, 5, 12, 0, tzinfo=UTC), tick=False) as clock:
        post()
        clock.shift(timedelta(seconds=59))
        post()
        assert only_token().last_used_at == datetime(2026, 5, 5, 12, 0, tzinfo=UTC)
        clock.shift(timedelta(seconds=2))
        post()
        assert only_token().last_used_at == datetime(2026, 5, 5, 12, 1, 1, tzinfo=UTC)


@pytest.fixture
def others(people, other_tenant):
    """Another tenant with a person, a role, a bot and templates that the first does not have."""
    make_channel(other_tenant, "chat", name="Chat", is_default=True, external_id="their-bot")
    person(other_tenant, "olga@other.example", -2, -1)
    person(other_tenant, JAKE, -1)
    ensure_default_template(other_tenant)
    template(other_tenant, "Theirs: @request.message", number=7)
    return other_tenant


def test_another_tenants_contacts_are_unknown(others, post):
    response = post(request(["olga@other.example"]))
    assert response.status_code == 400
    assert "Nobody is known as olga@other.example" in response.json()["errors"][0]


@pytest.mark.parametrize(
    "asked",
    [
        request(["0"], ["-2"]),
        request([JAKE], ["-2"]),
        request(template_id="7"),
        request(botExternalID="their-bot"),
    ],
)
def test_another_tenants_roles_templates_and_bots_are_unknown(others, post, asked):
    assert post(asked).status_code == 400
    assert not Notification.objects.exists()


def test_everyone_is_everyone_of_the_callers_tenant(others, post, said, tenant):
    post(request(["0"]))
    post(request(["0"], ["-1"]))
    said()
    assert set(Delivery.objects.values_list("tenant", flat=True)) == {tenant.pk}
    assert Delivery.objects.count() == 6


def test_the_same_login_is_another_person_in_another_tenant(others, post, said):
    theirs = token_for(others, name="Their system")
    assert post(auth=f"Bearer {theirs}").status_code == 200
    assert said() == {}  # in our window of that login
    assert Delivery.objects.get().tenant == others


def test_the_default_template_of_another_tenant_is_not_used(others, post):
    assert post().status_code == 200
    assert Notification.objects.get().template is None


def test_nothing_of_the_inside_is_told_when_something_breaks(people, post, monkeypatch, caplog):
    def break_down(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr("notifications.composing.record", break_down)
    response = post()
    assert is_envelope(response, 500, "Internal Server Error")
    assert b"hunter2" not in response.content
    assert "hunter2" in caplog.text, "and whoever runs it can't find out why"
    assert not Notification.objects.exists()


def test_a_token_is_never_logged(people, post, token, caplog):
    caplog.set_level("DEBUG")
    post()
    post("{")
    ApiClient.objects.update(scopes=[])
    post()
    assert token not in caplog.text


def test_issuing_another_token_leaves_the_first_alone(people, post):
    _, second = issue_token(only_token().client, by=BY)
    assert post().status_code == post(auth=f"Bearer {second}").status_code == 200
