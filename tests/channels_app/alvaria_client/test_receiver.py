"""The callbacks' route: what is let in, what is kept, and what is answered."""

import base64
import hmac
import json
import threading
import time
from typing import Any
from uuid import uuid4

import jwt
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from channels_app.models import InboundEvent
from tests.support.channels import make_channel, make_rsa_key
from tests.support.far_alvaria import PRIVATE, PUBLIC, alvaria_channel, event, post, token_for

pytestmark = pytest.mark.django_db

JOINED = event("AGENT_JOINED", str(uuid4()), agentAlias="John")
BODY = json.dumps(JOINED).encode()
OTHER_PRIVATE, OTHER_PUBLIC = make_rsa_key()


def b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def unsigned(algorithm: str) -> str:
    now = int(timezone.now().timestamp())
    head, claims = {"alg": algorithm, "typ": "JWT"}, {"iat": now, "exp": now + 300}
    return f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}."


def hs256_with_the_public_key() -> str:
    """The old trick: the public key, which everybody has, taken for a shared secret."""
    head = unsigned("HS256").removesuffix(".")
    return f"{head}.{b64(hmac.digest(PUBLIC.encode(), head.encode(), 'sha256'))}"


def now() -> int:
    return int(timezone.now().timestamp())


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "", "BEARER   "])
def test_a_good_callback_is_stored_and_answered_200_with_no_body(channel, scheme):
    answer = post(channel, JOINED, scheme=scheme)
    assert (answer.status_code, answer.content) == (200, b"")
    kept = InboundEvent.objects.get()
    assert (kept.event_id, kept.kind, kept.body) == (JOINED["eventId"], "AGENT_JOINED", JOINED)
    assert (kept.channel, kept.state) == (channel, "pending")


def test_a_replay_is_answered_200_and_changes_nothing(channel):
    post(channel, JOINED)
    before = InboundEvent.objects.values().get()
    for _ in range(3):
        assert post(channel, JOINED).status_code == 200
    other = {**JOINED, "agentAlias": "Eve"}  # the same eventId with other words
    assert post(channel, other).status_code == 200
    assert InboundEvent.objects.values().get() == before


@pytest.mark.django_db(transaction=True)
def test_many_at_once_store_an_event_once(channel):
    answers = []

    def send() -> None:
        try:
            answers.append(post(channel, JOINED).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 8
    assert InboundEvent.objects.count() == 1


BAD: dict[str, Any] = {
    "nothing": lambda: "",
    "no token": lambda: "Bearer",
    "garbage": lambda: "a.b.c",
    "binary": lambda: "ÿþ.ÿ.ÿ",
    "none": lambda: unsigned("none"),
    "None": lambda: unsigned("None"),
    "nOnE with a signature": lambda: unsigned("nOnE") + "AAAA",
    "HS256 signed with the public key": hs256_with_the_public_key,
    "another key": lambda: token_for(BODY, key=OTHER_PRIVATE),
    "RS512": lambda: token_for(BODY, algorithm="RS512"),
    "PS256": lambda: token_for(BODY, algorithm="PS256"),
    "expired": lambda: token_for(BODY, iat=now() - 900, exp=now() - 600),
    "from the future": lambda: token_for(BODY, iat=now() + 600, exp=now() + 900),
    "not good before later": lambda: token_for(BODY, nbf=now() + 600),
    "a time that is none": lambda: token_for(BODY, exp="tomorrow"),
    "a swapped body": lambda: token_for(b'{"eventId": "1"}'),
    "a digest that is none": lambda: token_for(BODY, bodyHash=["x"]),
    "an oversized header": lambda: token_for(BODY, padding="x" * 9000),
    "a huge header": lambda: "x" * 200_000,
    "a signature that is cut": lambda: token_for(BODY)[:-8],
    "a key of its own": lambda: _with_header(jwk={"kty": "RSA"}, kid="../../etc/passwd"),
    "a critical header": lambda: _with_header(crit=["exp"]),
    "deep nesting": lambda: f"{b64(b'[' * 5000)}.{b64(b'{}')}.AAAA",
}


def _with_header(**headers: Any) -> str:
    claims = {"iat": now(), "exp": now() + 300}
    return jwt.encode(claims, OTHER_PRIVATE, algorithm="RS256", headers=headers)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_answered_401_and_nothing_is_stored(channel, name):
    answer = post(channel, BODY, token=BAD[name]())
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert set(answer.json()) == {"code", "message", "errors"}
    assert answer.json()["code"] == 401
    assert not InboundEvent.objects.exists()


def test_a_channel_without_a_key_believes_nobody(tenant, far_end):
    channel = alvaria_channel(tenant, far_end.url, settings={"public_key": ""})
    assert post(channel, JOINED).status_code == 401
    assert not InboundEvent.objects.exists()


def test_a_token_without_claims_is_good_since_the_document_names_none(channel):
    bare = token_for(BODY, iss=None, iat=None, exp=None, bodyHash=None)
    assert post(channel, BODY, token=bare).status_code == 200


def test_both_keys_are_good_while_the_key_is_changed_over(tenant, far_end):
    both = f"{PUBLIC.strip()}\r\n\r\n{OTHER_PUBLIC}"
    channel = alvaria_channel(tenant, far_end.url, settings={"public_key": both})
    for private in (PRIVATE, OTHER_PRIVATE):
        document = event("AGENT_JOINED", "x", agentAlias="John")
        token = token_for(json.dumps(document).encode(), key=private)
        assert post(channel, document, token=token).status_code == 200
    third, _ = make_rsa_key()
    assert post(channel, BODY, token=token_for(BODY, key=third)).status_code == 401
    assert InboundEvent.objects.count() == 2


def test_the_token_of_one_tenants_channel_opens_no_other(channel, other_tenant, far_end):
    theirs = alvaria_channel(other_tenant, far_end.url, settings={"public_key": OTHER_PUBLIC})
    assert post(theirs, JOINED).status_code == 401
    assert not InboundEvent.objects.exists()


def test_an_unknown_address_is_answered_404_in_the_same_words(channel, tenant):
    webhook = make_channel(tenant, "webhook")
    answers = [
        Client().post(f"/webhooks/alvaria/{what}", BODY, content_type="application/json")
        for what in (uuid4(), webhook.public_id, "x", "", f"{channel.public_id}/more")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["code"] == 404


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "head", "options"])
def test_another_method_is_answered_405(channel, method):
    answer = getattr(Client(), method)(f"/webhooks/alvaria/{channel.public_id}")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    if method != "head":
        assert answer.json()["code"] == 405


def test_a_body_beyond_a_megabyte_is_answered_413(channel):
    body = json.dumps({**JOINED, "padding": "x" * (1024 * 1024)}).encode()
    assert post(channel, body).status_code == 413
    huge = json.dumps({**JOINED, "padding": "x" * (6 * 1024 * 1024)}).encode()
    assert post(channel, huge).json()["code"] == 413
    assert not InboundEvent.objects.exists()
    just = {**JOINED, "padding": "x" * (1024 * 1024 - len(BODY) - 20)}
    assert post(channel, just).status_code == 200


def test_a_body_in_chunks_is_answered_411(channel):
    answer = Client().generic(
        "POST",
        f"/webhooks/alvaria/{channel.public_id}",
        BODY,
        headers={"Transfer-Encoding": "chunked", "Authorization": token_for(BODY)},
        CONTENT_LENGTH="",
    )
    assert answer.status_code == 411
    assert not InboundEvent.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b"null",
        b"[1, 2]",
        b'"text"',
        b"{}",
        b'{"eventId": 7}',
        b'{"eventId": ""}',
        b'{"eventId": "' + b"x" * 101 + b'"}',
        b'{"eventId": "a", "eventId": "b"}',
        b'{"eventId": "a\\u0000"}',
        b'{"eventId": "a", "x": "\\ud800"}',
        b'{"eventId": "a", "x": 1e999}',
        b'{"eventId": "a", "x": NaN}',
        b'{"eventId": "a", "x": ' + b"9" * 5000 + b"}",
        b"\xff\xfe\x00",
        b"a\x00b",
        b"[" * 100_000,
    ],
)
def test_what_cannot_be_understood_is_kept_and_shown_if_the_token_is_good(channel, body):
    for _ in range(2):
        assert post(channel, body).status_code == 200
    kept = InboundEvent.objects.get()
    assert kept.state == "unknown"
    assert kept.reason
    assert kept.event_id.startswith("sha256:")


@pytest.mark.parametrize(
    "fields",
    [
        {"event": 7},
        {"event": None},
        {"event": ["x"]},
        {"event": "x" * 500},
        {"event": "BRAND_NEW"},
        {"x": 10**30},
        {"x": 0.1},
        {"x": "漢字 😀"},
        {"sessionId": {"a": 1}},
        {"sessionId": "x" * 5000},
    ],
)
def test_odd_fields_are_kept_as_they_came(channel, fields):
    document = {**JOINED, **fields}
    assert post(channel, document).status_code == 200
    assert InboundEvent.objects.get().body == document


def test_the_channels_page_shows_what_was_not_understood(channel, client_as):
    post(channel, b'{"script": "<script>alert(1)</script>"}')
    page = client_as("Auditor").get(f"/admin/channels_app/channel/{channel.pk}/change/")
    words = page.content.decode()
    assert "Callbacks that were not understood" in words
    assert "It has no eventId that can be used." in words
    assert "&lt;script&gt;alert(1)" in words


def test_a_resting_channel_still_hears(channel):
    channel.is_active = False
    channel.save()
    assert post(channel, JOINED).status_code == 200


def test_the_answer_does_not_wait_for_what_the_event_does(channel):
    began = time.monotonic()
    post(channel, JOINED)
    assert time.monotonic() - began < 1
    assert InboundEvent.objects.get().state == "pending"
