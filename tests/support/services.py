"""A PostgreSQL and a Redis of the tests' own, which they may stop, start and empty.

Each ends with the process that started it, however that ends. PostgreSQL refuses to run as root,
so for root it runs as the user ``postgres``.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
import redis

from tests.support.installation import free_port
from tests.support.workers import wait_for

HOME = "127.0.0.1"


class Service:
    """A server that runs in the foreground; ``command`` starts it again as it was."""

    def __init__(self, command: Sequence[str], port: int, log: Path, host: str = HOME) -> None:
        self.port = port
        self.host = host
        self._command = ["setpriv", "--pdeathsig", "KILL", *command]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/"
            )
        wait_for(self._answers, seconds=60, what=f"an answer:\n{self._log.read_text()[-2000:]}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"it ended:\n{self._log.read_text()[-2000:]}"
        return self.is_up()

    def is_up(self) -> bool:
        raise NotImplementedError


class PostgresServer(Service):
    @property
    def url(self) -> str:
        return f"postgres://postgres@{self.host}:{self.port}/postgres"

    def is_up(self) -> bool:
        with suppress(psycopg.Error), psycopg.connect(self.url, connect_timeout=2):
            return True
        return False

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        """By default as `pg_ctl restart` does: who is connected is thrown out."""
        self.stop(how)
        self.start()


class RedisServer(Service):
    @property
    def url(self) -> str:
        return f"redis://{self.host}:{self.port}/0"

    def is_up(self) -> bool:
        with suppress(redis.RedisError), redis.from_url(self.url, socket_timeout=2) as server:
            return bool(server.ping())
        return False

    def empty(self) -> int:
        """Throw everything away; returns how many keys that were."""
        with redis.from_url(self.url, socket_timeout=5) as server:
            keys = server.dbsize()
            server.flushall()
        return int(keys)


@contextmanager
def postgres_server(*, host: str = HOME, network: str = "") -> Iterator[PostgresServer]:
    """A fresh cluster; from ``network`` (CIDR) everybody may enter. Data is not synced to disk."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version)
    found = str(programs[-1] / "postgres") if programs else shutil.which("postgres")
    if found is None:
        pytest.skip("no PostgreSQL server is installed")
    folder = Path(tempfile.mkdtemp(prefix="carillon-postgres-"))
    user: list[str] = []
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
    try:
        data = folder / "data"
        made = subprocess.run(
            [
                *(*user, str(Path(found).with_name("initdb")), "--auth=trust", "--no-sync"),
                *("--username=postgres", "--encoding=UTF8", f"--pgdata={data}"),
            ],
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
        )
        assert made.returncode == 0, made.stderr
        if network:
            with (data / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {network} trust\n")
        port = free_port()
        listens = ",".join({HOME, host})
        options = {"unix_socket_directories": "", "fsync": "off", "listen_addresses": listens}
        server = PostgresServer(
            [
                *(*user[1:], found, "-D", str(data), "-p", str(port)),
                *(part for name, value in options.items() for part in ("-c", f"{name}={value}")),
            ],
            port,
            folder.with_suffix(".log"),
            host,
        )
        try:
            server.start()
            yield server
        finally:
            server.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_suffix(".log").unlink(missing_ok=True)


def _version(programs: Path) -> list[int]:
    return [int(part) for part in programs.parent.name.split(".") if part.isdigit()]


@contextmanager
def redis_server(*, host: str = HOME) -> Iterator[RedisServer]:
    """An empty Redis that forgets everything when it stops."""
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("no Redis server is installed")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="carillon-redis-") as folder:
        server = RedisServer(
            [
                *(found, "--port", str(port), "--bind", *sorted({HOME, host})),
                *("--save", "", "--appendonly", "no", "--protected-mode", "no", "--dir", folder),
            ],
            port,
            Path(folder) / "log",
            host,
        )
        try:
            server.start()
            yield server
        finally:
            server.stop(signal.SIGKILL)
