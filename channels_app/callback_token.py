"""The RS256 token that says a request comes from Carillon, and that its body is unchanged.

A JWT (RFC 7519) signed with the channel's own RSA key, valid for a few minutes. The vendors'
documents leave its claims open; ours are ``iss``, ``iat``, ``exp``, ``jti``, ``orgId`` and
``bodyHash``: the SHA-256 of the body as it is sent, base64url without padding.
"""

from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

ALGORITHM = "RS256"
LIFETIME = timedelta(minutes=5)
SMALLEST = 2048  # bits; RFC 7518, section 3.3
LARGEST = 4096  # a signature with a larger key takes longer than most requests


@lru_cache(maxsize=256)
def private_key(pem: str) -> RSAPrivateKey:
    """Read a key, and keep it: reading one costs as much time as a hundred signatures.

    Raises ValueError, which says for people what is wrong.
    """
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except TypeError:
        raise ValueError("It is locked with a password.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("It is no private key in PEM.") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("It is no RSA key.")  # noqa: TRY004 - a wrong value, to whoever typed it
    if not SMALLEST <= key.key_size <= LARGEST:
        raise ValueError(f"It has {key.key_size} bits; {SMALLEST} to {LARGEST} can be used.")
    return key


def callback_token(
    key: RSAPrivateKey, body: bytes, *, issuer: str, organisation: str, token_id: str, now: datetime
) -> str:
    """Sign ``body`` for this try; ``token_id`` is the same over all tries of a message."""
    issued = int(now.timestamp())
    claims = {
        "iss": issuer,
        "iat": issued,
        "exp": issued + int(LIFETIME.total_seconds()),
        "jti": token_id,
        "orgId": organisation,
        "bodyHash": urlsafe_b64encode(sha256(body).digest()).rstrip(b"=").decode(),
    }
    return jwt.encode(claims, key, ALGORITHM)
