"""The document's own request, from the answer to the chat window."""

import json
import time
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django_q.conf import Conf

from channels_app.models import Attempt, Delivery, Tally
from notifications.models import Notification
from project.access.models import AuditEntry
from tests.support.luma import JAKE, OUTAGE, PATH, SEED, request

pytestmark = pytest.mark.django_db

KEYS = ["timestamp", "status", "message", "errors", "data"]


def test_the_documents_request_is_answered_as_the_document_prints_it(people, post):
    before = time.time() * 1000
    response = post(SEED)
    answer = response.json()
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert list(answer) == KEYS
    assert before - 1 <= answer.pop("timestamp") <= time.time() * 1000
    assert answer == {"status": 200, "message": "OK", "errors": [], "data": "success"}


def test_the_message_is_in_that_persons_chat_and_in_nobody_elses(people, post, said):
    post(SEED)
    assert said() == {JAKE: [OUTAGE]}
    delivery = Delivery.objects.get()
    assert delivery.state == "sent"
    assert Attempt.objects.filter(delivery=delivery).count() == 1
    assert Tally.objects.get(origin_id=Notification.objects.get().pk).states["sent"] == 1


@pytest.mark.parametrize("path", [PATH, f"{PATH}/", f"/vsa{PATH}", f"/vsa{PATH}/"])
def test_the_route_stands_at_luma_s_path_and_below_its_base_url(people, post, path, said):
    assert post(path=path).status_code == 200
    assert said() == {JAKE: [OUTAGE]}


@pytest.mark.parametrize(
    "path", [f"{PATH}%0A", f"{PATH}//", f"/x{PATH}", f"/VSA{PATH}", "/public/notifylumauser"]
)
def test_no_other_path_is_the_route(people, post, path):
    assert post(path=path).status_code == 404
    assert not Notification.objects.exists()


def test_a_host_that_is_not_served_is_refused_in_the_envelope(people, token, settings):
    settings.ALLOWED_HOSTS = ["carillon.example"]
    response = Client(headers={"Host": "evil.example", "Authorization": f"Bearer {token}"}).post(
        PATH, SEED, content_type="application/json"
    )
    answer = response.json()
    assert (response.status_code, answer["status"]) == (400, 400)
    assert list(answer) == KEYS
    assert answer["errors"] == ["This host name is not served here."]
    assert not Notification.objects.exists()


def test_the_audit_trail_says_who_called_and_from_where(people, post, token):
    Client(REMOTE_ADDR="192.0.2.7").post(
        PATH, SEED, content_type="application/json", headers={"Authorization": f"Bearer {token}"}
    )
    entry = AuditEntry.objects.get(action="notification.send")
    assert (entry.actor_kind, entry.actor_name, entry.address) == ("client", "ITSM", "192.0.2.7")
    assert entry.target_id == str(Notification.objects.get().pk)
    assert OUTAGE not in json.dumps(entry.details)


def test_a_caller_who_wants_a_minimal_answer_gets_none(people, post, said):
    for prefer in ("return=minimal", 'respond-async, RETURN = "minimal"; a=b'):
        response = post(Prefer=prefer)
        assert (response.status_code, response.content) == (204, b"")
        assert response["Preference-Applied"] == "return=minimal"
    assert said() == {JAKE: [OUTAGE, OUTAGE]}


def test_another_preference_changes_nothing(people, post):
    for prefer in ("return=representation", "return=representation, return=minimal", "minimal"):
        assert post(Prefer=prefer).status_code == 200


def test_who_is_unknown_is_told_even_to_a_caller_who_wants_a_minimal_answer(people, post):
    response = post(request([JAKE, "nobody@acme.example"]), Prefer="return=minimal")
    assert response.status_code == 200
    assert "nobody@acme.example" in response.json()["errors"][0]


def test_a_refusal_keeps_its_envelope_for_a_caller_who_wants_a_minimal_answer(people, post):
    assert post(request([]), Prefer="return=minimal").json()["status"] == 400


@pytest.mark.parametrize("field", ["botExternalID", "template_type", "template_id", "repeat"])
@pytest.mark.parametrize("nothing", ["", "  ", None, "absent"])
def test_what_is_left_empty_or_out_takes_its_default(people, post, field, nothing, said):
    asked = request(**{field: nothing})
    if nothing == "absent":
        del asked[field]
    assert post(asked).status_code == 200
    assert said() == {JAKE: [OUTAGE]}


def test_fields_of_the_callers_own_are_left_alone(people, post):
    assert post(request() | {"ticket": {"id": 1.5, "tags": [None]}}).status_code == 200


def test_the_message_is_named_in_the_console_by_its_first_words(people, post):
    post(request(message="Mail  is down, write to help@acme.example.\nThanks!"))
    title = Notification.objects.get().title
    assert title == "Mail is down, write to help@acme.example. Thanks!"


def test_a_request_costs_few_queries(
    people, token, django_assert_max_num_queries, transactional_db: Any
):
    caller = Client(headers={"Authorization": f"Bearer {token}"})
    caller.post(PATH, SEED, content_type="application/json")  # notes the token's use, for a while
    # Three looks (whose token, who is meant, which words) and two rows: one statement on
    # PostgreSQL, a transaction on SQLite. The first request has told the workers.
    with django_assert_max_num_queries(7 if settings.SQLITE else 4) as seen:
        caller.post(PATH, SEED, content_type="application/json")
    assert "".join(query["sql"] for query in seen.captured_queries).count("INSERT INTO") == 2


def test_what_is_stored_is_accepted_though_the_workers_can_t_be_told(
    people, post, said, monkeypatch, transactional_db: Any
):
    with monkeypatch.context() as broken:
        broken.setattr(Conf, "ORM", None)
        broken.setattr(Conf, "REDIS", "redis://127.0.0.1:1")  # nothing listens there
        assert post().status_code == 200
    assert said() == {JAKE: [OUTAGE]}  # as the sweep starts what is due
