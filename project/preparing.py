"""What must be in place before web and workers start: tables, groups, static files."""

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connection

MIGRATING = 0x0CA2_1110  # PostgreSQL advisory lock; any number that nobody else uses


def prepare() -> None:
    """Bring the database and the static files up to date. May run on several hosts at once."""
    with _one_on_this_machine():
        with _one_on_this_database():
            call_command("migrate", verbosity=0, interactive=False)
        _collect_static()


@contextmanager
def _one_on_this_machine() -> Iterator[None]:
    with (settings.DATA_DIR / "prepare.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # freed by the system when the process ends
        yield


@contextmanager
def _one_on_this_database() -> Iterator[None]:
    """Keep other hosts waiting. SQLite has one host, which the file lock guards."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATING])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATING])


def _collect_static() -> None:
    """Collect, compress and name the static files, unless none has changed since."""
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    found = _fingerprint()
    if not stamp.exists() or stamp.read_text() != found:
        # From nothing: left to itself it would keep a file that is newer than its source.
        call_command("collectstatic", clear=True, verbosity=0, interactive=False)
        stamp.write_text(found)


def _fingerprint() -> str:
    """Sum up all static files by path, size and time of change."""
    total = hashlib.sha256(repr(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for name, storage in sorted(finder.list([]), key=lambda entry: entry[0]):
            stat = Path(storage.path(name)).stat()
            total.update(f"{name}|{stat.st_size}|{stat.st_mtime_ns}\n".encode())
    return total.hexdigest()
