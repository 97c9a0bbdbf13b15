"""The receiver as a program: answers by path or by its program, prints, ends when told to."""

import asyncio
import signal
from typing import TextIO

from project.receiver.answers import Answer
from project.receiver.console import Console
from project.receiver.listener import Listener
from project.receiver.record import KEEPS, Record
from project.receiver.requests import Received
from project.receiver.specs import UNDERSTOOD, Program, read_path

KEEPS_BODY = 1024 * 1024  # bytes of each
KEEPS_PATHS = 1000  # whose place in their program is remembered

HELP = f"""\
Carillon's receiver: answers as it is told, and keeps what it gets.

A path may begin with SPECs, parted by commas; what follows is for you:
POST /500/acme, /429:retry-after=30, /200:delay=5, /500*3,200/orders, /500:share=20
Each path has a place of its own in its SPECs. Any other path is answered as --answer says.

{UNDERSTOOD}

GET /received       the last {KEEPS:,} requests and totals, as JSON
DELETE /received    forget them, and begin all SPECs anew
"""


class Service:
    """Chooses answers and notes what came."""

    def __init__(self, program: Program, out: TextIO, *, quiet: bool) -> None:
        self._program = program
        self._by_path: dict[str, Program] = {}
        self._record = Record()
        self._console = Console(out)
        self._quiet = quiet
        self._ever = self._said = 0
        self._listener = Listener(self._take, keeps=KEEPS_BODY, malformed=self._malformed)

    async def run(self, host: str, port: int) -> bool:
        """Serve until SIGINT or SIGTERM. Returns whether all was printed; raises OSError."""
        loop = asyncio.get_running_loop()
        told = asyncio.Event()
        for one in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(one, told.set)
        await self._listener.listen(host, port)
        shown = f"[{host}]" if ":" in host else host
        self._console.say(f"Listening on http://{shown}:{self._listener.port}/")
        self._console.say("GET / says what is understood, GET /received what came. Ctrl-C ends.")
        counting = loop.create_task(self._count())
        await told.wait()
        counting.cancel()
        await self._listener.shut()
        self._console.say(f"{self._ever:,} requests.")
        return self._console.end()

    def _take(self, request: Received) -> Answer:
        own = self._own(request)
        if own is not None:
            return own
        step = self._program_of(request.path).next()
        self._ever += 1
        self._record.add(request, step.name)
        if not self._quiet:
            self._console.request(request, step.name)
        return step.answer

    def _program_of(self, asked: str) -> Program:
        """What the path names, at its place in it; else what the command was told."""
        path = asked.partition("?")[0]
        if path in self._by_path:
            return self._by_path[path]
        steps = read_path(path)
        if steps is None:
            return self._program
        if len(self._by_path) >= KEEPS_PATHS:
            del self._by_path[next(iter(self._by_path))]
        return self._by_path.setdefault(path, Program(steps))

    def _own(self, request: Received) -> Answer | None:
        """The answer to what is asked of the receiver itself; None for what it receives."""
        if request.path == "/" and request.method in {"GET", "HEAD"}:
            return Answer(headers={"Content-Type": "text/plain; charset=utf-8"}, body=HELP.encode())
        if request.path != "/received":
            return None
        if request.method == "GET":
            return Answer(body=self._record.as_json())
        if request.method == "DELETE":
            self._record.forget()
            self._by_path.clear()
            self._program.rewind()
            return Answer(204)
        return None

    def _malformed(self, why: str) -> None:
        self._record.malformed += 1
        if not self._quiet:
            self._console.say(f"Not understood: {why}")

    async def _count(self) -> None:
        """With quiet, say each second how many came, if any did."""
        while self._quiet:
            await asyncio.sleep(1)
            if self._ever > self._said:
                self._console.say(
                    f"{self._ever:,} requests, {self._ever - self._said:,} of them new"
                )
                self._said = self._ever
