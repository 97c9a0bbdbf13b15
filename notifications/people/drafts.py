"""Uploaded lists between their preview and the confirmation.

Any web process may be asked to confirm: hosts that share a Redis share the drafts, one machine
keeps them as files under its data directory. A draft lasts an hour, and its name says whose it is.
"""

import re
import time
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.core.cache import cache

from project.access.models import Tenant

LIFETIME = 3600  # seconds

_NAME = re.compile(r"[0-9]+-[0-9a-f]{32}")


def keep(tenant: Tenant, data: bytes) -> str:
    """Return the name by which the draft is found again."""
    name = f"{tenant.pk}-{uuid4().hex}"
    if settings.REDIS_URL:
        cache.set(_key(name), data, LIFETIME)
        return name
    _sweep()
    path = _folder() / name
    path.touch(mode=0o600)
    path.write_bytes(data)
    return name


def is_of(tenant: Tenant, name: str) -> bool:
    return _NAME.fullmatch(name) is not None and name.startswith(f"{tenant.pk}-")


def read(name: str) -> bytes | None:
    """Return None for a draft that is over. Ask `is_of` first where a name comes from outside."""
    if settings.REDIS_URL:
        data: bytes | None = cache.get(_key(name))
        return data
    path = _folder() / name
    try:
        return path.read_bytes() if _is_fresh(path) else None
    except FileNotFoundError:
        return None


def drop(name: str) -> None:
    if settings.REDIS_URL:
        cache.delete(_key(name))
    else:
        (_folder() / name).unlink(missing_ok=True)


def _key(name: str) -> str:
    return f"import-{name}"


def _folder() -> Path:
    folder: Path = settings.DATA_DIR / "imports"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _is_fresh(path: Path) -> bool:
    return path.stat().st_mtime > time.time() - LIFETIME


def _sweep() -> None:
    for path in _folder().iterdir():
        try:
            if not _is_fresh(path):
                path.unlink()
        except FileNotFoundError:  # another process swept it
            continue
