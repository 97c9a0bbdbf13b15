"""A whole installation with nothing in it: own data, own database, real processes."""

import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tests.support.workers import ROOT, wait_for


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def fresh_database() -> Iterator[str | None]:
    """A database's URL on the server that the tests run on; None is SQLite in the data folder."""
    server = os.environ.get("DATABASE_URL", "")
    if not server.startswith("postgres"):
        yield None
        return
    import psycopg

    name = f"carillon_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


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
    def __init__(self, data: Path, database: str | None, **more: str) -> None:
        self.data = data
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
            [sys.executable, "manage.py", *arguments],
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

    def start(self, *arguments: str) -> Running:
        log = self.data / f"{arguments[0]}-{len(self._started)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "manage.py", *arguments],
                cwd=ROOT,
                env=self.environment,
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
def installation(data: Path, **environment: str) -> Iterator[Installation]:
    """An installation whose processes and database are gone at the end of the block."""
    with fresh_database() as database:
        made = Installation(data, database, **environment)
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
