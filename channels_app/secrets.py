"""Secrets at rest: JSON encrypted with Fernet, newest key first (settings.FERNET_KEYS)."""

import json
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class SecretsUnreadable(Exception):
    """None of the keys opens what is stored; FERNET_KEYS lost the key it was made with."""


@lru_cache(maxsize=4)
def _box(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def seal(values: dict[str, str]) -> str:
    return _box(tuple(settings.FERNET_KEYS)).encrypt(json.dumps(values).encode()).decode()


def unseal(sealed: str) -> dict[str, str]:
    """Return what `seal` was given; an empty text holds no secrets. Raises SecretsUnreadable."""
    if not sealed:
        return {}
    try:
        opened = _box(tuple(settings.FERNET_KEYS)).decrypt(sealed.encode())
    except InvalidToken as error:
        raise SecretsUnreadable(
            "The stored secrets do not open with CARILLON_FERNET_KEYS."
        ) from error
    values: dict[str, str] = json.loads(opened)
    return values


def reseal(sealed: str) -> str:
    """Encrypt anew with the newest key. Raises SecretsUnreadable."""
    return seal(unseal(sealed)) if sealed else ""
