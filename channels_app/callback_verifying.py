"""Telling whether a callback is what it says: an RS256 token over an unchanged body.

The vendors' documents leave the claims open, so only what is there is judged: a signature is
needed, ``exp``, ``nbf``, ``iat`` and ``bodyHash`` must hold where they are given.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.utils import timezone

from channels_app.callback_token import LARGEST, SMALLEST

LONGEST_TOKEN = 8192  # characters of the header; more is no token of anybody's
LEEWAY = 60  # seconds that two clocks may differ
MOST_KEYS = 4  # each is tried for a token that none of them has signed
_PEM = re.compile(r"-----BEGIN [^-]+-----.*?-----END [^-]+-----", re.DOTALL)
ALGORITHM = "RS256"  # and no other, whatever a token says of itself


class BadToken(ValueError):
    """It is not from whom it says, or not what was sent. The text says why, for people."""


@lru_cache(maxsize=256)
def public_key(pem: str) -> RSAPublicKey:
    """Read a key, and keep it: reading one costs more than checking a signature.

    Raises ValueError, which says for people what is wrong.
    """
    try:
        key = load_pem_public_key(pem.strip().encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("It is no public key in PEM.") from None
    if not isinstance(key, RSAPublicKey):
        raise ValueError("It is no RSA key.")  # noqa: TRY004 - a wrong value, to whoever typed it
    if not SMALLEST <= key.key_size <= LARGEST:
        raise ValueError(f"It has {key.key_size} bits; {SMALLEST} to {LARGEST} can be used.")
    return key


@lru_cache(maxsize=256)
def public_keys(text: str) -> tuple[RSAPublicKey, ...]:
    """Read one key or several, one after another: while a sender changes over, both are good.

    Raises ValueError, which says for people what is wrong; no text holds no key.
    """
    blocks = _PEM.findall(text)
    if not blocks and text.strip():
        blocks = [text]  # it is none, and is told so
    if len(blocks) > MOST_KEYS:
        raise ValueError(f"At most {MOST_KEYS} keys.")
    return tuple(public_key(block) for block in blocks)


def verify_callback(
    authorization: str,
    body: bytes,
    keys: Sequence[RSAPublicKey],
    *,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Return the token's claims, if one of the keys signed it for this body. Raises BadToken.

    ``authorization`` is the header's value, with or without ``Bearer``. ``now`` is when it came,
    for one that was captured.
    """
    if not authorization:
        raise BadToken("There is no Authorization header.")
    if len(authorization) > LONGEST_TOKEN:
        raise BadToken(f"The Authorization header is longer than {LONGEST_TOKEN:,} characters.")
    scheme, _, rest = authorization.strip().partition(" ")
    token = rest.strip() if scheme.lower() == "bearer" else authorization.strip()
    claims = _signed_claims(token, keys)
    _check_times(claims, (now or timezone.now()).timestamp())
    digest = claims.get("bodyHash")
    if digest is not None:
        expected = urlsafe_b64encode(sha256(body).digest()).rstrip(b"=")
        given = digest.encode("utf-8", "replace") if isinstance(digest, str) else b""
        if not compare_digest(given, expected):
            raise BadToken("The body is not the one that was signed.")
    return claims


def _signed_claims(token: str, keys: Sequence[RSAPublicKey]) -> dict[str, Any]:
    problem: Exception | None = None
    for key in keys:
        try:
            found: dict[str, Any] = jwt.decode(token, key, algorithms=[ALGORITHM], options=_OPTIONS)
        except jwt.InvalidSignatureError as error:
            problem = error  # perhaps the other key's
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise BadToken(_words(error)) from error
        else:
            return found
    raise BadToken("No key is known." if problem is None else _words(problem)) from problem


# Whom it is for is not said by any document, and PyJWT knows no other time than the present.
_OPTIONS: Any = {
    "verify_signature": True,
    **{f"verify_{name}": False for name in ("aud", "iss", "sub", "jti", "exp", "nbf", "iat")},
}


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    times = {name: claims[name] for name in ("exp", "nbf", "iat") if name in claims}
    if any(type(moment) not in {int, float} for moment in times.values()):
        raise BadToken("A time in the token is no number.")
    if times.get("exp", now) + LEEWAY < now:
        raise BadToken("The token has expired.")
    if max(times.get("nbf", now), times.get("iat", now)) > now + LEEWAY:
        raise BadToken("The token is from the future.")


def _words(error: Exception) -> str:
    match error:
        case jwt.InvalidSignatureError():
            return "The signature is not by this key."
        case jwt.InvalidAlgorithmError():
            return f"The token is not signed with {ALGORITHM}."
        case _:
            return "It is no token that can be read."
