"""A whole installation with nothing in it: own data, own database, real processes."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from tests.support.workers import ROOT, wait_for

FILE = "carillon.sqlite3"  # in the data folder, where there is no other database
WORKERS = 8  # `manage.py worker`: the command, the sentinel, four workers, pusher and monitor


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def fresh_database(server: str | None = None, *, like: str = "") -> Iterator[str | None]:
    """A database's URL on ``server``; None is SQLite in the data folder.

    Without a server, it is the one that the tests run on. ``like``: the URL of another one there,
    whose copy it is; nobody may use that one meanwhile.
    """
    if server is None:
        server = os.environ.get("DATABASE_URL", "")
    if not server.startswith("postgres"):
        yield None
        return
    name = f"carillon_{uuid.uuid4().hex[:12]}"
    template = f' TEMPLATE "{urlsplit(like).path[1:]}"' if like else ""
    _do(server, f'CREATE DATABASE "{name}"{template}')
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        _do(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def _do(server: str, sql: str) -> None:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql)


class Running:
    """A started `manage.py` command, with what it says in a file."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def said(self) -> str:
        return self.log.read_text()

    def wait_until_it_says(self, text: str, *, times: int = 1) -> None:
        def enough() -> bool:
            ended = self.process.poll() is not None
            assert not ended or self.said.count(text) >= times, f"ended:\n{self.said}"
            return self.said.count(text) >= times

        wait_for(enough, seconds=90, what=f"“{text}” in\n{self.said}")

    def wait_until_it_works(self) -> None:
        """Wait until a `manage.py worker` has all of its processes."""
        wait_for(lambda: len(self.tree()) == WORKERS, seconds=60, what=f"all of them: {self.said}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Signal the one process and wait; returns its exit code."""
        self.process.send_signal(how)
        return self.process.wait(60)

    def signal(self, one: "Process", how: signal.Signals) -> None:
        """Signal one of the processes below."""
        assert one in self.tree()
        os.kill(one.pid, how)

    def tree(self) -> "list[Process]":
        return descendants(self.process.pid)


class Installation:
    """``within`` stands before each command, such as ``ip netns exec …``."""

    def __init__(
        self, data: Path, database: str | None, *, within: Sequence[str] = (), **more: str
    ) -> None:
        self.data = data
        self.database = database
        self._within = within
        self.port = free_port()
        inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        self.environment = {
            **inherited,
            **({"DATABASE_URL": database} if database else {}),
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "CARILLON_DATA": str(data),
            "PORT": str(self.port),
            "PYTHONPATH": str(ROOT),
            **more,
        }
        self._started: list[Running] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*self._within, sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def must(self, *arguments: str) -> str:
        """Run a command that succeeds; returns what it says."""
        done = self.manage(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def python(self, code: str) -> str:
        return self.must("shell", "--no-imports", "-c", code)

    @property
    def loops(self) -> int:
        """How many dispatch loops run here: each locks a file, which Linux tells of."""
        slots = {file.stat().st_ino for file in self.data.glob("slots/drain-*.lock")}
        locks = Path("/proc/locks").read_text().splitlines()
        return len(slots & {int(line.split()[5].rpartition(":")[2]) for line in locks})

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask its database, past all of its code; for SQL that both databases know."""
        if self.database:
            import psycopg

            with psycopg.connect(self.database, autocommit=True) as server:
                return server.execute(sql).fetchall()
        with closing(sqlite3.connect(self.data / FILE, timeout=30)) as file:
            return file.execute(sql).fetchall()

    def start(self, *arguments: str) -> Running:
        log = self.data / f"{arguments[0]}-{len(self._started)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*self._within, sys.executable, "manage.py", *arguments],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        running = Running(process, log)
        self._started.append(running)
        return running

    def end(self) -> None:
        for running in self._started:
            family = running.tree()
            running.process.kill()
            running.process.wait(30)
            for process in family:
                process.kill()


@contextmanager
def installation(
    data: Path, *, server: str | None = None, like: Installation | None = None, **environment: str
) -> Iterator[Installation]:
    """An installation whose processes and database are gone at the end of the block.

    Its database is empty, or a copy of ``like``'s, on the same server, at which nobody works.
    """
    with fresh_database(server, like=(like and like.database) or "") as database:
        made = Installation(data, database, **environment)
        if like and not database:
            shutil.copy(like.data / FILE, data)
        try:
            yield made
        finally:
            made.end()


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    parent: int = field(compare=False)
    started: int  # tells it from a later one with the same id
    command: str = field(compare=False)

    def kill(self) -> None:
        if self in processes():
            os.kill(self.pid, signal.SIGKILL)


def processes() -> list[Process]:
    """All that run on this machine, by Linux's /proc."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            state, parent, *rest = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_text().replace("\0", " ")
            if state not in "ZX":
                found.append(Process(int(folder.name), int(parent), int(rest[17]), command))
    return found


def descendants(pid: int) -> list[Process]:
    """The process and all below it, from the top down."""
    known = processes()
    found = [process for process in known if process.pid == pid]
    for above in found:
        found += [process for process in known if process.parent == above.pid]
    return found


def wait_for_end(ending: list[Process], *, seconds: float = 60) -> None:
    wait_for(
        lambda: not set(ending) & set(processes()), seconds=seconds, what=f"the end of {ending}"
    )
