"""Bodies that are no request: every one is answered in the envelope and leaves no rows."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from notifications.models import Notification
from tests.support.luma import JAKE, PATH, SEED, request

pytestmark = pytest.mark.django_db

KEYS = ["timestamp", "status", "message", "errors", "data"]


def refused(response: Any, status: int = 400) -> str:
    assert response["Content-Type"] == "application/json"
    answer = response.json()
    assert list(answer) == KEYS
    assert answer["status"] == response.status_code == status, answer
    assert answer["data"] is None
    assert not Notification.objects.exists()
    return " ".join(answer["errors"])


def in_message(text: str) -> str:
    """The document's request with this text, raw, where the message is."""
    return json.dumps(request(message="MESSAGE")).replace('"MESSAGE"', text)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "recipients"),
        (b" ", "not JSON"),
        (b"{", "not JSON"),
        (SEED[:-3].encode(), "not JSON"),
        (SEED.encode() + b"}", "not JSON"),
        (SEED.replace('"', "'").encode(), "not JSON"),
        (b"<xml/>", "not JSON"),
        (b"recipients=jake", "not JSON"),
        (b"null", "must be a JSON object"),
        (b"[]", "must be a JSON object"),
        (f"[{SEED}]".encode(), "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
        (b"1", "must be a JSON object"),
        (b"{}", "recipients"),
        (in_message('"Gr\xfc\xdfe"').encode("latin-1"), "not UTF-8"),
        (SEED.encode("utf-16"), "not UTF-8"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b'{"a": "\x00"}', "not JSON"),
        (in_message('"a\x00b"').encode(), "not JSON"),
        (in_message('"a\\u0000b"').encode(), "NUL"),
        (b'{"\\u0000": 1}', "NUL"),
        (in_message('"a\\ud83d"').encode(), "half of a character"),
        (b'{"\\udc00": 1}', "half of a character"),
        (in_message("NaN").encode(), "NaN"),
        (in_message("-Infinity").encode(), "Infinity"),
        (in_message("9" * 5000).encode(), "number that is too long"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 50 + b"1" + b"}" * 50, "nested too deeply"),
        (b'{"a":' * 900 + b"[" * 50 + b"]" * 50 + b"}" * 900, "nested too deeply"),
        (b'{"repeat": "", "repeat": "0"}', "twice"),
        (b'{"x": {"a": 1, "b": 2, "a": 1}}', "twice"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(people, post, body, words):
    assert words in refused(post(body))


def test_five_megabytes_of_keys_are_read_in_good_time(people, post):
    """Each part of the work is linear: a quadratic one would take hours here, not seconds."""
    keys = ",".join(f'"{number}":0' for number in range(400_000))
    assert "twice" in refused(post(f'{{{keys},"399999":0}}'))


def test_a_body_may_have_five_megabytes_and_no_more(people, post):
    fits = SEED.ljust(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    too_large = refused(post(f"{fits} "), 413)
    assert "5,242,880 bytes" in too_large
    assert post(fits).status_code == 200


def test_ten_megabytes_are_too_large(people, post):
    response = post(json.dumps(request(message="x" * 10_000_000)))
    assert refused(response, 413)
    assert response.json()["message"] == "Content Too Large"


def test_a_body_in_chunks_is_asked_for_its_length(people, token):
    response = Client().generic(
        "POST",
        PATH,
        "",
        headers={"Authorization": f"Bearer {token}", "Transfer-Encoding": "chunked"},
    )
    assert "Content-Length" in refused(response, 411)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "text/plain",
        "text/json",
        "application/xml",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application",
        "application/json/x",
        "*/*",
        "\xff",
    ],
)
def test_another_content_type_is_refused(people, post, content_type):
    words = refused(post(SEED.encode(), Content_Type=content_type), 415)
    assert "application/json" in words


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        "APPLICATION/JSON; charset=utf8; x=y",
        "",
    ],
)
def test_json_in_utf_8_is_taken_however_it_is_announced(people, post, content_type):
    assert post(SEED.encode(), Content_Type=content_type).status_code == 200


def test_a_byte_order_mark_is_passed_over(people, post):
    assert post(SEED.encode("utf-8-sig")).status_code == 200


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "nonsense", "*/*;q=0"])
def test_the_answer_is_json_whatever_the_caller_accepts(people, post, accept):
    assert refused(post("{", Accept=accept))
    assert post(Accept=accept).json()["status"] == 200
    assert post(path=f"{PATH}?format=xml").json()["status"] == 200


def test_markup_in_a_refusal_stays_text(people, post):
    response = post(request(["<script>alert(1)</script>"]))
    assert response["Content-Type"] == "application/json"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "<script>" in refused(response)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(10**40), max_value=10**40),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(["0", "-1", "- 1", JAKE, f"0,{JAKE}", "TEXT", "card", "FREQ=DAILY", "{}"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "recipients": st.one_of(
            values,
            st.fixed_dictionaries({"contacts": values, "roles": values}),
            st.just({"contacts": [JAKE], "roles": [""]}),
        ),
        "botExternalID": values,
        "template_type": values,
        "template_id": values,
        "responseType": st.one_of(values, st.sampled_from(["TEXT", "IMAGE", "CARD"])),
        "message": st.one_of(
            values, st.fixed_dictionaries({"text": values}, optional={"actions": values})
        ),
        "repeat": values,
    },
)
some = hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def answered_well(response: Any) -> None:
    answer = response.json()
    assert list(answer) == KEYS
    assert answer["status"] == response.status_code
    assert response.status_code in {200, 400}, answer
    assert answer["data"] == ("success" if response.status_code == 200 else None)
    if response.status_code == 400:
        assert answer["errors"]
        assert all(isinstance(error, str) for error in answer["errors"])


@some
@given(body=st.one_of(values, fields))
def test_any_json_is_answered_in_the_envelope(people, post, body):
    before = Notification.objects.count()
    response = post(json.dumps(body))
    answered_well(response)
    assert Notification.objects.count() - before == (response.status_code == 200)


@some
@given(changes=fields)
def test_any_field_of_the_documents_request_may_be_anything(people, post, changes):
    before = Notification.objects.count()
    response = post(json.dumps(request() | changes))
    answered_well(response)
    assert Notification.objects.count() - before == (response.status_code == 200)


@some
@given(body=st.binary(max_size=200))
def test_any_bytes_are_answered_in_the_envelope(people, post, body):
    answered_well(post(body))
