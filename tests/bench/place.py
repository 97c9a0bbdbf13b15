"""Where one row of the bench runs: a database, a data folder and a process of its own."""

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tests.bench.result import Result, from_json

ROOT = Path(__file__).resolve().parent.parent.parent
LONGEST = 3600  # seconds that one row may take


def backends() -> dict[str, tuple[str, str]]:
    """Names, and the database server and Redis that go with each: SQLite always."""
    found = {"SQLite": ("", "")}
    server = os.environ.get("DATABASE_URL", "")
    if server.startswith("postgres"):
        found["PostgreSQL"] = (server, os.environ.get("REDIS_URL", ""))
    return found


@contextmanager
def environment(server: str, redis: str) -> Iterator[dict[str, str]]:
    """The environment of an installation of the bench's own; all of it is gone afterwards."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CARILLON_", "DATABASE_URL", "REDIS_URL"))
    }
    with (
        tempfile.TemporaryDirectory(prefix="carillon-bench-") as data,
        database(server, data) as url,
    ):
        yield {
            **inherited,
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "DATABASE_URL": url,
            **({"REDIS_URL": redis} if redis else {}),
            "CARILLON_DATA": data,
            "PYTHONPATH": str(ROOT),
        }


@contextmanager
def database(server: str, data: str) -> Iterator[str]:
    if not server:
        yield f"sqlite:///{data}/bench.sqlite3"
        return
    import psycopg
    from psycopg import sql

    name = sql.Identifier(made := f"carillon_bench_{uuid.uuid4().hex[:8]}")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{made}"))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def measure(row: str, environ: Mapping[str, str], options: list[str]) -> list[Result]:
    """Run a row's module in a process of its own; it says its results as JSON, last of all."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.one", row, *options],
        cwd=ROOT,
        env=dict(environ),
        stdout=subprocess.PIPE,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    if done.returncode:
        return [Result(f"{row}: could not be measured", 0, "", bar=1)]
    return from_json(done.stdout.splitlines()[-1])
