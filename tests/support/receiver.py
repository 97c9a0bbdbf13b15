"""A programmable HTTP receiver on loopback: what it is told to answer, and what it was sent.

    with Receiver(Answer(500), Answer(500)) as receiver:   # then 200 for ever
        ...
        assert [request.json() for request in receiver.requests] == [...]

It runs an event loop in a thread of its own, keeps connections open and takes some ten thousand
small POSTs a second.
"""

import asyncio
import json
import ssl
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self

OK_BODY = b'{"ok": true}'


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came; header names lower-cased, ``at`` the time its last byte came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: datetime

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say to one request.

    ``delay`` is in seconds; ``until`` is asked again and again, and nothing is said before it is
    true. ``drop`` closes the connection without a word; ``raw`` goes out as it
    is instead of an HTTP answer, after which the connection is closed; ``drip`` sends a byte each
    so many seconds.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = OK_BODY
    delay: float = 0.0
    until: Callable[[], bool] | None = None
    drop: bool = False
    raw: bytes | None = None
    drip: float = 0.0

    def encoded(self, *, with_body: bool) -> bytes:
        if self.raw is not None:
            return self.raw
        fields = {"Content-Type": "application/json", "Content-Length": str(len(self.body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in {**fields, **self.headers}.items())
        body = self.body if with_body else b""
        return f"HTTP/1.1 {self.status} Status\r\n{head}\r\n".encode("latin-1") + body


Answering = Callable[[Received], Answer]


class Receiver:
    """Listens on a free port of ``host``. A later answer than the last given is plain 200.

    An answering callable runs in the receiver's thread and must not block.
    """

    def __init__(
        self,
        *answers: Answer | Answering,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.connections = 0
        """Accepted so far."""
        self._answers = deque(answers)
        self._requests: list[Received] = []
        self._host = host
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Transport] = set()
        self._late: set[asyncio.Task[None]] = set()
        self._closing = False

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        """The address of its root, with a closing slash."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http{'s' if self._tls else ''}://{host}:{self._port}/"

    @property
    def requests(self) -> list[Received]:
        """What has come so far, in order; a copy."""
        return list(self._requests)

    def wait_for(self, count: int, timeout: float = 5.0) -> list[Received]:
        """Return the requests once there are ``count``; AssertionError after ``timeout`` s."""
        deadline = monotonic() + timeout
        while len(self._requests) < count:
            assert monotonic() < deadline, f"{len(self._requests)} of {count} requests came"
            sleep(0.005)
        return self.requests

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def take(self, request: Received) -> Answer:
        """Note a request and choose its answer. A callable stays, an answer is used up."""
        self._requests.append(request)
        if not self._answers:
            return Answer()
        first = self._answers[0]
        if isinstance(first, Answer):
            return self._answers.popleft()  # type: ignore[return-value]
        return first(request)

    def opened(self, transport: asyncio.Transport) -> None:
        self.connections += 1
        self._open.add(transport)
        if self._closing:
            transport.abort()

    def closed(self, transport: asyncio.Transport) -> None:
        self._open.discard(transport)

    def later(self, answering: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(answering)
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _listen(self) -> None:
        self._server = await self._loop.create_server(
            lambda: _Connection(self), self._host, 0, ssl=self._tls, backlog=4096
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def _shut(self) -> None:
        self._closing = True
        if self._server is not None:
            self._server.close()
        for task in list(self._late):
            task.cancel()
        for transport in list(self._open):
            transport.abort()
        while len(asyncio.all_tasks()) > 1 or self._open:
            await asyncio.sleep(0)


class _Connection(asyncio.Protocol):
    """Requests with Content-Length, one after another."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._receiver.opened(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._receiver.closed(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._buffer[:1].isalpha():  # a TLS greeting, say
            self._transport.abort()
            return
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        method, path, _ = first.split(" ")
        request = Received(method, path, headers, rest[:length], datetime.now(UTC))
        answer = self._receiver.take(request)
        if answer.delay or answer.until or answer.drip:
            self._receiver.later(self._later(request, answer))
        else:
            self._say(request, answer)

    async def _later(self, request: Received, answer: Answer) -> None:
        await asyncio.sleep(answer.delay)
        while answer.until and not answer.until():
            await asyncio.sleep(0.02)
        if not answer.drip:
            self._say(request, answer)
            return
        for byte in answer.encoded(with_body=request.method != "HEAD"):
            self._transport.write(bytes([byte]))
            await asyncio.sleep(answer.drip)

    def _say(self, request: Received, answer: Answer) -> None:
        if self._transport.is_closing():
            return
        if answer.drop:
            self._transport.close()
            return
        self._transport.write(answer.encoded(with_body=request.method != "HEAD"))
        closing = "close" in (answer.headers.get("Connection"), request.headers.get("connection"))
        if answer.raw is not None or closing:
            self._transport.close()
