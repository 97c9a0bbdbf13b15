"""Which tokens make a callback believed, and which don't."""

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import StringIO
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.management import CommandError, call_command

from channels_app.callback_verifying import BadToken, public_key, verify_callback
from tests.support.channels import make_rsa_key

PRIVATE, PUBLIC = make_rsa_key()
OTHER_PRIVATE, OTHER_PUBLIC = make_rsa_key()
BODY = b'{"event":"NEW_SESSION","eventId":"22D45513-66F7-4A02-9998-EF8E72AB2363"}'
NOW = datetime(2026, 11, 29, 8, 30, tzinfo=UTC)
AT = int(NOW.timestamp())


def hashed(body: bytes) -> str:
    return urlsafe_b64encode(sha256(body).digest()).decode().rstrip("=")


def token(key: Any = PRIVATE, algorithm: str = "RS256", headers: Any = None, **claims: Any) -> str:
    said = {"iat": AT, "exp": AT + 300, "bodyHash": hashed(BODY), **claims}
    said = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(said, key, algorithm=algorithm, headers=headers)


def part(value: Any) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def signed_as_hs256_with_the_public_key() -> str:
    # PyJWT refuses to do so; an attacker would not.
    import hashlib
    import hmac

    unsigned = (
        f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part({'iat': AT, 'bodyHash': hashed(BODY)})}"
    )
    mac = hmac.new(PUBLIC.encode(), unsigned.encode(), hashlib.sha256).digest()
    return f"{unsigned}.{urlsafe_b64encode(mac).decode().rstrip('=')}"


def verify(authorization: str, body: bytes = BODY, *, keys: tuple[str, ...] = (PUBLIC,)) -> Any:
    return verify_callback(authorization, body, [public_key(pem) for pem in keys], now=NOW)


@pytest.mark.parametrize("scheme", ["", "Bearer ", "bearer ", "BEARER  ", " Bearer "])
def test_a_token_is_read_with_and_without_its_scheme(scheme):
    assert verify(scheme + token())["bodyHash"] == hashed(BODY)


def test_claims_count_only_where_they_are_given():
    bare = token(iat=None, exp=None, bodyHash=None)
    assert verify(bare, b"anything") == {}
    assert verify(token(aud="somebody", iss="Alvaria", sub="x", jti="1"))["aud"] == "somebody"


def test_either_key_of_a_rotation_is_good():
    for key in (PRIVATE, OTHER_PRIVATE):
        verify(token(key), keys=(PUBLIC, OTHER_PUBLIC))


BAD = {
    "nothing": ("", "no Authorization"),
    "only a scheme": ("Bearer ", "no token"),
    "no token": ("Bearer abc", "no token"),
    "three dots": ("..", "no token"),
    "none": (f"{part({'alg': 'none'})}.{part({'iat': AT})}.", "RS256"),
    "HS256 with the public key": (signed_as_hs256_with_the_public_key(), "RS256"),
    "HS256": (token("secret" * 8, "HS256"), "RS256"),
    "RS512": (token(algorithm="RS512"), "RS256"),
    "PS256": (token(algorithm="PS256"), "RS256"),
    "ES256": (token(ec.generate_private_key(ec.SECP256R1()), "ES256"), "RS256"),
    "another key": (token(OTHER_PRIVATE), "not by this key"),
    "its own key along": (token(OTHER_PRIVATE, headers={"jwk": {"kty": "RSA"}}), "not by this key"),
    "a key's address": (token(OTHER_PRIVATE, headers={"jku": "https://evil.example"}), "not by"),
    "expired": (token(exp=AT - 61), "expired"),
    "expired long ago": (token(exp=0), "expired"),
    "from the future": (token(iat=AT + 61), "future"),
    "not yet good": (token(nbf=AT + 61), "future"),
    "a time that is a text": (token(exp=str(AT + 300)), "no number"),
    "a time that is a word": (token(iat="now"), "no number"),
    "a time that is true": (token(nbf=True), "no number"),
    "another body's": (token(bodyHash=hashed(b"{}")), "not the one"),
    "a digest that is none": (token(bodyHash=7), "not the one"),
    "an oversized header": ("Bearer " + "x" * 9000, "longer than"),
    "a cut token": (token()[:-3], "not by this key|no token"),
    "a changed letter": (token()[:-10] + "AAAAAAAAAA", "not by this key"),
    "no object": (jwt.PyJWS().encode(b'"text"', PRIVATE, algorithm="RS256"), "no token"),
    "a critical header": (token(headers={"crit": ["b64"], "b64": False}), "token"),
}


@pytest.mark.parametrize(("authorization", "words"), BAD.values(), ids=BAD.keys())
def test_what_is_not_signed_for_this_body_at_this_time_is_refused(authorization, words):
    with pytest.raises(BadToken, match=words):
        verify(authorization)


def test_a_swapped_body_is_refused():
    with pytest.raises(BadToken, match="not the one"):
        verify(token(), BODY.replace(b"NEW_SESSION", b"SESSION_END"))


def test_a_minute_between_two_clocks_is_forgiven():
    verify(token(exp=AT - 59))
    verify(token(iat=AT + 59, nbf=AT + 59))


def test_without_a_key_nothing_is_believed():
    with pytest.raises(BadToken, match="No key"):
        verify(token(), keys=())


@pytest.mark.parametrize(
    ("pem", "words"),
    [
        ("", "no public key"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "no public key"),
        (PRIVATE, "no public key"),
        (
            ec.generate_private_key(ec.SECP256R1())
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            .decode(),
            "no RSA key",
        ),
        (make_rsa_key(1024)[1], "1024 bits"),
    ],
    ids=["nothing", "garbage", "private", "elliptic", "short"],
)
def test_a_key_that_cant_be_used_is_refused_in_words(pem, words):
    with pytest.raises(ValueError, match=words):
        public_key(pem)


# --- the command --------------------------------------------------------------------------------


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "public.pem"
    path.write_text(PUBLIC)
    return str(path)


@pytest.fixture
def check(tmp_path, key_file):
    """Run the command over what was captured; returns what it says and whether all is good."""

    def run(captured: Any, *more: str) -> tuple[str, bool]:
        path, out = tmp_path / "captured.json", StringIO()
        path.write_text(captured if isinstance(captured, str) else json.dumps(captured))
        try:
            call_command(
                "verify_callback", "--key", key_file, "--captured", str(path), *more, stdout=out
            )
        except CommandError as error:
            return f"{out.getvalue()}{error}", False
        return out.getvalue(), True

    return run


def caught(authorization: str, body: bytes = BODY, at: str = NOW.isoformat()) -> dict[str, Any]:
    return {"at": at, "headers": {"Authorization": authorization}, "body": body.decode()}


def test_the_command_tells_good_from_bad(check):
    said, good = check({"requests": [caught(token()), caught(token(), b'{"event":"SESSION_END"}')]})
    assert not good
    first, second, last = said.splitlines()
    assert first == "1 good  NEW_SESSION 22D45513-66F7-4A02-9998-EF8E72AB2363"
    assert second.startswith("2 bad   SESSION_END")
    assert "not the one" in second
    assert last == "1 not good."


def test_the_command_judges_by_the_time_it_came(check):
    said, good = check(caught(token()))
    assert good, said
    said, good = check(caught(token(), at=(NOW + timedelta(hours=1)).isoformat()))
    assert not good
    assert "expired" in said
    assert check(caught(token(), at=""), "--at", "2026-11-29T08:31:00Z")[1]


def test_the_command_says_when_nothing_binds_the_body(check):
    said, good = check(caught(token(bodyHash=None)))
    assert good
    assert "nothing says of which body" in said


@pytest.mark.parametrize(
    "captured",
    ["", "{", "[]", "{}", "7", '[{"headers": 1}]', '{"headers": {}, "body": "", "at": "noon"}'],
)
def test_the_command_refuses_what_is_no_capture(check, captured):
    said, good = check(captured)
    assert not good
    assert "Traceback" not in said


def test_the_command_takes_header_and_body_apart(tmp_path, key_file):
    body = tmp_path / "body"
    body.write_bytes(BODY)
    out = StringIO()
    asked = ["--authorization", f"Bearer {token()}", "--body", str(body), "--at", NOW.isoformat()]
    call_command("verify_callback", "--key", key_file, *asked, stdout=out)
    assert out.getvalue().startswith("1 good")
    for wrong in (["--at", "yesterday"], ["--at", "2026-11-29T08:30:00"], ["--body", "/no/such"]):
        with pytest.raises(CommandError):
            call_command("verify_callback", "--key", key_file, *asked, *wrong, stdout=out)
    with pytest.raises(CommandError, match="no public key"):
        call_command("verify_callback", "--key", str(body), *asked, stdout=out)
