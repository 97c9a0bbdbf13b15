"""POST and DELETE …/serverMessaging/session."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import time_machine
from django.utils import timezone

from channels_app.models import (
    EndedBy,
    Event,
    EventKind,
    Message,
    MessageState,
    OpeningHours,
    Session,
    SessionState,
    WorkType,
)
from channels_app.sessions import tending
from channels_app.sessions.services import end_at_limit
from tests.support.alvaria import (
    CustomServer,
    callbacks_of,
    make_api_client,
    make_callbacks,
    make_work_type,
)

pytestmark = pytest.mark.django_db


def refused(answer, status: int) -> list[dict[str, str]]:
    """Check an ErrorResponse; return its errors."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/json"
    body = answer.json()
    assert set(body) == {"code", "message", "errors"}
    assert body["code"] == status
    assert all(set(error) == {"scope", "reason", "message"} for error in body["errors"])
    return list(body["errors"])


def test_a_session_is_opened_as_the_document_prints_it(server):
    answer = server.open()
    assert answer.status_code == 202
    assert list(answer.json()) == ["sessionId"]
    UUID(answer.json()["sessionId"])
    assert answer["Access-Control-Allow-Origin"]
    assert answer["Content-Type"] == "application/json"


def test_it_comes_up_in_the_background_and_says_so_once(server, monkeypatch):
    # The worker that brings it up goes on to tell of it; nobody is there to be told.
    monkeypatch.setattr("channels_app.dispatch.drain.LIFE", 0.5)
    answer = server.open()
    session = Session.objects.get(public_id=answer.json()["sessionId"])
    assert session.state == SessionState.OPENING
    assert callbacks_of(session) == []
    for _ in range(2):
        tending.tend()
        tending.sweep()
    session.refresh_from_db()
    assert session.state == SessionState.WAITING
    (told,) = callbacks_of(session)
    UUID(told.pop("eventId"))
    assert told == {
        "sessionId": answer.json()["sessionId"],
        "event": "NEW_SESSION",
        "status": "SUCCESS",
    }


@pytest.mark.parametrize("number", [32, "32"])
def test_the_work_type_may_be_a_number_or_a_text(server, number):
    session = server.opened({"workTypeId": number, "contactName": "Ana"})
    assert session.work_type is not None
    assert session.work_type.code == "32"


def test_what_else_came_along_is_kept(server):
    body = {"workTypeId": 32, "contactName": "Ana", "integration": "SMS", "plan": "gold", "n": 3}
    session = server.opened(body)
    assert session.integration == "SMS"
    assert session.attributes == {"plan": "gold", "n": 3}


def test_a_name_turns_no_letters_around_it(server):
    session = server.opened({"workTypeId": 32, "contactName": " \u202eAna\u202c\x07 Ruiz "})
    assert session.contact_name == "Ana Ruiz"
    refused(server.open({"workTypeId": 32, "contactName": "\u202e\u2066 "}), 400)


def failed(session: Session) -> str:
    (told,) = callbacks_of(session)
    assert (told["event"], told["status"]) == ("NEW_SESSION", "FAILED")
    assert session.state == SessionState.FAILED
    return str(told["statusMessage"])


def test_an_unknown_work_type_fails_by_an_event(server, other_tenant):
    make_work_type(other_tenant, "77")
    assert failed(server.opened({"workTypeId": 77, "contactName": "Ana"})) == (
        "Work type does not exist"
    )


def test_a_work_type_out_of_use_is_as_good_as_none(server, work_type):
    work_type.is_active = False
    work_type.save()
    assert failed(server.opened()) == "Work type does not exist"


def test_out_of_hours_it_fails_by_an_event(server, work_type):
    OpeningHours.objects.create(work_type=work_type, weekday=0, opens="08:00", closes="17:00")
    with time_machine.travel("2026-11-29T12:00:00Z"):  # a Sunday
        assert failed(server.sign_in().opened()) == "Work type is closed"
    with time_machine.travel("2026-11-30T12:00:00Z"):
        assert server.sign_in().opened().state == SessionState.WAITING


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("", "workTypeId"),
        ("{", "JSON"),
        ("[]", "object"),
        ("null", "object"),
        ('"text"', "object"),
        (b"\xff\xfe", "UTF-8"),
        ('{"workTypeId": 32}', "contactName"),
        ('{"contactName": "Ana"}', "workTypeId"),
        ('{"workTypeId": 32, "contactName": ""}', "contactName"),
        ('{"workTypeId": 32, "contactName": "  "}', "contactName"),
        ('{"workTypeId": 32, "contactName": null}', "contactName"),
        ('{"workTypeId": 32, "contactName": 7}', "contactName"),
        ('{"workTypeId": true, "contactName": "Ana"}', "workTypeId"),
        ('{"workTypeId": 3.2, "contactName": "Ana"}', "workTypeId"),
        ('{"workTypeId": {}, "contactName": "Ana"}', "workTypeId"),
        ('{"workTypeId": 32, "workTypeId": 33, "contactName": "Ana"}', "twice"),
        ('{"workTypeId": "%s", "contactName": "Ana"}' % ("3" * 41), "workTypeId"),
        ('{"workTypeId": 32, "contactName": "%s"}' % ("x" * 255), "contactName"),
        ('{"workTypeId": 32, "contactName": "Ana", "integration": ["SMS"]}', "integration"),
        ('{"workTypeId": 32, "contactName": "Ana", "more": {"deep": 1}}', "more"),
        ('{"workTypeId": 32, "contactName": "\\u0000"}', "NUL"),
        ('{"workTypeId": 32, "contactName": "\\ud800"}', "character"),
    ],
)
def test_a_malformed_body_is_refused_by_name(server, body, named):
    errors = refused(server.open(body), 400)
    assert any(named in error["message"] for error in errors), errors
    assert not Session.objects.exists()


def test_everything_that_is_wrong_is_said_at_once(server):
    errors = refused(server.open({"integration": 5}), 400)
    assert [error["message"].partition(":")[0] for error in errors] == [
        *("workTypeId", "contactName", "integration")
    ]
    for empty in ("", "{}", '{"workTypeId": null, "contactName": ""}'):
        errors = refused(server.open(empty), 400)
        assert [error["message"].partition(":")[0] for error in errors] == [
            *("workTypeId", "contactName")
        ]


def test_a_body_that_is_too_large_is_refused_unread(server, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    refused(server.open({"workTypeId": 32, "contactName": "Ana", "more": "x" * 2000}), 413)


@pytest.mark.parametrize("what", ["session", "message"])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "HEAD", "OPTIONS"])
def test_other_methods_are_refused_whoever_asks(server, what, method):
    for headers in ({}, {"Authorization": None, "x_api_key": None}):
        answer = server.call(method, what, **headers)
        assert answer.status_code == 405
        assert "POST" in answer["Allow"]
        if method != "HEAD":
            refused(answer, 405)


def test_below_the_root_everything_speaks_the_dialect(server):
    for path in ("/via/v2/organizations/x/provisioning", "/via/", "/via/v1/foo?a=b"):
        (error,) = refused(server.browser.get(path), 404)
        assert error["reason"] == "notFound"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": None},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer 11111111-2222-4333-8444-555555555555"},
        {"Authorization": "Bearer " + "x" * 8000},
        {"Authorization": "Basic YTpi"},
        {"x_api_key": "another"},
    ],
)
def test_who_may_not_come_in_gets_401_without_a_body(server, headers):
    for answer in (server.open(**headers), server.open("{broken", **headers)):
        assert (answer.status_code, answer.content) == (401, b"")
        assert answer["WWW-Authenticate"].startswith("Bearer")
    assert not Session.objects.exists()


def test_a_missing_key_is_named(server):
    (error,) = refused(server.open(x_api_key=None), 400)
    assert error["scope"] == "header"
    assert "x-api-key" in error["message"]


def test_a_foreign_organisation_is_none(server, other_tenant):
    known = refused(server.open(org_id=other_tenant.org_id), 404)
    unknown = refused(server.open(org_id="nobody"), 404)
    assert known == unknown, "nothing tells which organisations there are"


def test_without_a_callback_url_no_session_is_opened(tenant, work_type):
    server = CustomServer(make_api_client(tenant)).sign_in()
    (error,) = refused(server.open(), 400)
    assert error["reason"] == "noCallback"


def test_a_client_with_a_channel_of_its_own_is_told_there(server, tenant):
    other = CustomServer(make_api_client(tenant, "Other system")).sign_in()
    own = make_callbacks(tenant, "https://other.example/in", name="Own", client=other.client)
    assert other.opened().channel == own
    assert server.opened().channel != own


# --- ended by the client ------------------------------------------------------------------------


def test_a_session_is_deleted_as_the_document_prints_it(server):
    session = server.opened()
    answer = server.close(str(session.public_id))
    assert (answer.status_code, answer.content) == (202, b"")
    assert answer["Access-Control-Allow-Origin"]
    told = callbacks_of(session)[-1]
    UUID(told.pop("eventId"))
    assert told == {
        "sessionId": str(session.public_id),
        "event": "SESSION_END",
        "status": "SUCCESS",
    }, "`from` stands there only where Alvaria ended it"
    session.refresh_from_db()
    assert (session.state, session.ended_by) == (SessionState.ENDED, EndedBy.CONTACT)


def test_one_deleted_before_it_came_up_says_both_in_order(server):
    public_id = server.open().json()["sessionId"]
    assert server.close(public_id).status_code == 202
    tending.bring_up_all()
    told = callbacks_of(Session.objects.get(public_id=public_id))
    assert [one["event"] for one in told] == ["NEW_SESSION", "SESSION_END"]


def test_a_session_that_is_not_there_cant_be_deleted(server, tenant):
    session = server.opened()
    public_id = str(session.public_id)
    stranger = CustomServer(make_api_client(tenant, "Other system")).sign_in()
    for answer in (
        server.close(str(uuid4())),
        server.close("no-uuid"),
        stranger.close(public_id),
    ):
        (error,) = refused(answer, 404)
        assert error["message"] == "Session does not exist"
    assert server.close(public_id.upper()).status_code == 202, "a UUID is one in any case"
    refused(server.close(public_id), 404)
    assert len(callbacks_of(session)) == 2


def test_the_header_must_name_the_session(server):
    (error,) = refused(server.call("DELETE", "session"), 400)
    assert "server-messaging-session-id" in error["message"]


# --- limits -------------------------------------------------------------------------------------


def test_after_four_hours_the_system_ends_it(server):
    session = server.opened()
    with time_machine.travel(session.created_at + timedelta(hours=4, seconds=-5)):
        tending.sweep()
        session.refresh_from_db()
        assert session.is_open
    with time_machine.travel(session.created_at + timedelta(hours=4, seconds=1)):
        tending.sweep()
        tending.sweep()
    session.refresh_from_db()
    assert (session.state, session.ended_by) == (SessionState.ENDED, EndedBy.LIMIT)
    told = callbacks_of(session)[-1]
    assert (told["event"], told["status"], told["from"]) == ("SESSION_END", "SUCCESS", "SYSTEM")
    assert [one["event"] for one in callbacks_of(session)].count("SESSION_END") == 1


def test_one_that_never_came_up_hears_both_at_the_limit_and_so_do_its_messages(server):
    public_id = server.open().json()["sessionId"]
    server.say(public_id, {"text": "Is anybody there?"})
    session = Session.objects.get(public_id=public_id)
    with time_machine.travel(session.created_at + timedelta(hours=4, seconds=1)):
        assert end_at_limit(session.pk)
        assert not end_at_limit(session.pk)
    assert [one["event"] for one in callbacks_of(session)] == ["NEW_SESSION", "SESSION_END"]
    assert Message.objects.get().state == MessageState.PROCESSED


def test_one_that_can_t_come_up_fails_at_the_limit_and_its_messages_with_it(server, work_type):
    public_id = server.open().json()["sessionId"]
    server.say(public_id, {"text": "Is anybody there?"})
    session = Session.objects.get(public_id=public_id)
    WorkType.objects.update(is_active=False)
    with time_machine.travel(session.created_at + timedelta(hours=4, seconds=1)):
        assert not end_at_limit(session.pk)
    told = [(one["event"], one["status"]) for one in callbacks_of(session)]
    assert told == [("NEW_SESSION", "FAILED"), ("MESSAGE_STATUS", "FAILED")]
    assert Message.objects.get().state == MessageState.FAILED


def test_hundreds_whose_time_is_over_end_with_one_sweep(server):
    one = server.opened()
    others = [
        Session(
            tenant=one.tenant,
            channel=one.channel,
            client=one.client,
            work_type=one.work_type,
            contact=f"contact {number}",
            contact_name="Ana",
            state=one.state,
            created_at=one.created_at,
            waiting_since=one.waiting_since,
            ends_at=one.ends_at,
        )
        for number in range(300)
    ]
    Session.objects.bulk_create(others)
    with time_machine.travel(one.created_at + timedelta(hours=4, seconds=1)):
        tending.sweep()
    assert not Session.objects.open().exists()
    ends = Event.objects.filter(kind=EventKind.SESSION_END, session__ended_by=EndedBy.LIMIT)
    assert ends.count() == 301


def test_a_client_opens_no_more_sessions_than_it_may(server, tenant, callbacks):
    callbacks.settings = {**callbacks.settings, "session_limit": "3"}
    callbacks.save()
    first, *_ = [server.open() for _ in range(3)]
    answer = server.open()
    (error,) = refused(answer, 429)
    assert error["reason"] == "tooManySessions"
    assert int(answer["Retry-After"]) > 0
    assert Session.objects.count() == 3
    other = CustomServer(make_api_client(tenant, "Other system")).sign_in()
    assert other.open().status_code == 202, "each system has its own limit"
    assert server.close(first.json()["sessionId"]).status_code == 202
    assert server.open().status_code == 202


def test_too_many_requests_in_a_minute_are_told_when_to_come_again(server):
    server.client.rate_limit = 3
    server.client.save()
    with time_machine.travel(timezone.now().replace(second=10), tick=False):
        for _ in range(3):
            assert server.open().status_code == 202
        answer = server.open()
        (error,) = refused(answer, 429)
        assert error["reason"] == "tooManyRequests"
        assert answer["Retry-After"] == "50"


def test_an_unexpected_error_tells_nothing_and_is_answered_in_the_dialect(server, monkeypatch):
    def fall(*args, **kwargs):
        raise RuntimeError("the disk of host db7 is full")

    monkeypatch.setattr("channels_app.vendors.alvaria.server.open_session", fall)
    answer = server.open()
    refused(answer, 500)
    assert b"db7" not in answer.content
