"""A channel's own RSA keys: made, named, published, changed over.

While a rotation's overlap lasts, the old key signs and the new one is published beside it, so
that receivers have it before they need it; afterwards the new one signs.
"""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from channels_app.callback_token import SMALLEST, private_key

_EXPONENT = 65537


def new_private_key() -> str:
    """Make a key pair; returns it in PEM (PKCS #8)."""
    key = rsa.generate_private_key(_EXPONENT, SMALLEST)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def signing_key(secrets: Mapping[str, str], name: str, now: datetime) -> str:
    """Return the PEM of the key that signs now; empty where there is none."""
    old = secrets.get(f"old_{name}")
    if old and now < datetime.fromisoformat(secrets[f"old_{name}_until"]):
        return old
    return secrets.get(name, "")


def published_keys(secrets: Mapping[str, str], name: str, now: datetime) -> list[str]:
    """Return the PEMs of the keys whose public halves receivers need, the one that signs first."""
    signs, newest = signing_key(secrets, name, now), secrets.get(name, "")
    return list(dict.fromkeys(pem for pem in (signs, newest) if pem))


@lru_cache(maxsize=256)
def public_pem(pem: str) -> str:
    """Return the public half of a private key, in PEM (SubjectPublicKeyInfo)."""
    public = private_key(pem).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@lru_cache(maxsize=256)
def key_id(pem: str) -> str:
    """Name a private key by its public half's thumbprint (RFC 7638)."""
    numbers = jwt.algorithms.RSAAlgorithm.to_jwk(private_key(pem).public_key(), as_dict=True)
    # The members in this order and without blanks, as RFC 7638, section 3.2 has them.
    canonical = f'{{"e":"{numbers["e"]}","kty":"RSA","n":"{numbers["n"]}"}}'
    digest = Hash(SHA256())
    digest.update(canonical.encode())
    return urlsafe_b64encode(digest.finalize()).decode().rstrip("=")


def jwks(pems: list[str]) -> dict[str, Any]:
    """Return the public halves as a JSON Web Key Set (RFC 7517)."""
    keys = []
    for pem in pems:
        key = jwt.algorithms.RSAAlgorithm.to_jwk(private_key(pem).public_key(), as_dict=True)
        members = {name: key[name] for name in ("kty", "n", "e")}
        keys.append({**members, "use": "sig", "alg": "RS256", "kid": key_id(pem)})
    return {"keys": keys}
