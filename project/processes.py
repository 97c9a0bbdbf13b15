"""Runs processes that belong together: one ends, it is started again; told to stop, all end."""

import errno
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, Any, Protocol, cast

GRACE = 15.0  # seconds between asking a process to end and killing it
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0  # seconds until a process that ended is started again
STEADY = 60.0  # seconds; whoever ran so long begins with the first wait again
TURN = 0.2  # seconds


def port_is_free(host: str, port: int) -> bool:
    """Whether nobody listens there. Raises OSError when this machine has no such address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


class Writer(Protocol):
    def write(self, text: str, /) -> Any: ...
    def flush(self) -> Any: ...


class Child:
    """One of the processes, in a group of its own: Ctrl-C reaches the supervisor alone."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self.command = command
        self.process: subprocess.Popen[bytes] | None = None
        self.due_at = 0.0  # when to start it; as time.monotonic
        self._started_at = 0.0
        self._wait = FIRST_WAIT
        self._partial = b""

    def start(self) -> IO[bytes]:
        """Start it; returns what it says, never blocking."""
        self._started_at = time.monotonic()
        self._partial = b""
        self.process = subprocess.Popen(  # noqa: S603 - the commands are ours
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            process_group=0,
        )
        output = cast("IO[bytes]", self.process.stdout)
        os.set_blocking(output.fileno(), False)
        return output

    def plan_restart(self) -> float:
        """Decide when to start it again; returns the wait in seconds."""
        if time.monotonic() - self._started_at > STEADY:
            self._wait = FIRST_WAIT
        wait = self._wait
        self._wait = min(2 * wait, LONGEST_WAIT)
        self.due_at = time.monotonic() + wait
        return wait

    def lines(self, data: bytes) -> list[str]:
        """Return the lines that ``data`` completes; nothing more to come when it is empty."""
        *whole, self._partial = (self._partial + data).split(b"\n")
        if not data and self._partial:
            whole, self._partial = [self._partial], b""
        return [line.decode(errors="replace") for line in whole]

    def kill_group(self) -> None:
        """Kill the process and what it left behind."""
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)


class Supervisor:
    """Runs ``commands`` (name to argument list) until SIGINT or SIGTERM.

    The commands must tie themselves to this process (`project.parent.end_with`), so that none
    outlives it. ``on_turn`` is called several times a second.
    """

    def __init__(
        self,
        commands: dict[str, list[str]],
        *,
        out: Writer,
        err: Writer,
        on_turn: Callable[[], None],
    ) -> None:
        self._children = [Child(name, command) for name, command in commands.items()]
        self._width = max(map(len, commands))
        self._out = out
        self._err = err
        self._on_turn = on_turn
        self._asked = 0
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup ignores SIGHUP, and means it. A shell's background job ignores SIGINT as well,
            # but whoever sends it one by its number wants an end.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._ask)
        try:
            while not self._asked:
                for child in self._children:
                    self._mind(child)
                self._pass_on(TURN)
                self._on_turn()
        finally:
            self._stop()

    def _ask(self, *_: Any) -> None:
        self._asked += 1

    def _mind(self, child: Child) -> None:
        """Start a child that is due; notice one that ended."""
        if child.process is None:
            if time.monotonic() >= child.due_at:
                self._selector.register(child.start(), selectors.EVENT_READ, child)
            return
        code = child.process.poll()
        if code is not None:
            self._pass_on(0)  # its last words
            self._forget(child)
            how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
            self._say(
                self._err, f"{child.name} ended ({how}); again in {child.plan_restart():g} s."
            )

    def _forget(self, child: Child) -> None:
        child.kill_group()
        if child.process is not None and child.process.stdout is not None:
            with suppress(KeyError):
                self._selector.unregister(child.process.stdout)
            child.process.stdout.close()
        child.process = None

    def _pass_on(self, seconds: float) -> None:
        """Write what the children say, waiting up to ``seconds`` for it."""
        for key, _ in self._selector.select(seconds):
            child: Child = key.data
            try:
                data = os.read(key.fd, 65536)
            except BlockingIOError:
                continue
            if not data:
                self._selector.unregister(key.fileobj)
            for line in child.lines(data):
                self._say(self._out, f"{child.name:{self._width}} | {line}")

    def _say(self, stream: Writer, line: str) -> None:
        try:
            stream.write(f"{line}\n")
            stream.flush()
        except OSError:  # nobody reads any more
            self._asked = max(self._asked, 1)

    def _stop(self) -> None:
        asked = self._asked
        running = [child for child in self._children if child.process is not None]
        for child in running:
            if child.process is not None:
                child.process.terminate()
        ends = time.monotonic() + GRACE
        # A second signal may be the first one's echo, from `make`; a third is impatience.
        while running and time.monotonic() < ends and self._asked < asked + 2:
            self._pass_on(TURN / 2)
            running = [child for child in running if child.process and child.process.poll() is None]
        self._pass_on(0)
        for child in self._children:
            self._forget(child)
