"""A programmable HTTP receiver on loopback: what it is told to answer, and what it was sent.

    with Receiver(Answer(500), Answer(500)) as receiver:   # then 200 for ever
        ...
        assert [request.json() for request in receiver.requests] == [...]

It is the core of `manage.py receiver` in a thread of its own, with answers that tests need.
"""

import asyncio
import ssl
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from time import monotonic, sleep
from types import TracebackType
from typing import Self

from project.receiver import answers as plain
from project.receiver.listener import Listener
from project.receiver.requests import Received


@dataclass(frozen=True, slots=True)
class Answer(plain.Answer):
    """What to say to one request.

    ``until`` is asked again and again, and nothing is said before it is true. ``raw`` goes out as
    it is instead of an HTTP answer, after which the connection is closed; ``drip`` sends a byte
    each so many seconds.
    """

    until: Callable[[], bool] | None = None
    raw: bytes | None = None
    drip: float = 0.0

    def closes(self) -> bool:
        return self.raw is not None or plain.Answer.closes(self)

    def encoded(self, *, with_body: bool) -> bytes:
        if self.raw is not None:
            return self.raw
        return plain.Answer.encoded(self, with_body=with_body)

    def at_once(self, *, with_body: bool) -> bytes | None:
        if self.until or self.drip:
            return None
        return plain.Answer.at_once(self, with_body=with_body)

    async def pieces(self, *, with_body: bool) -> AsyncGenerator[bytes, None]:
        while self.until and not self.until():
            await asyncio.sleep(0.02)
        async for piece in plain.Answer.pieces(self, with_body=with_body):
            if not self.drip:
                yield piece
                continue
            for byte in piece:
                yield bytes([byte])
                await asyncio.sleep(self.drip)


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
        self._answers = deque(answers)
        self._requests: list[Received] = []
        self._host = host
        self._tls = tls
        self._listener = Listener(self._take)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def connections(self) -> int:
        """Accepted so far."""
        return self._listener.connections

    @property
    def port(self) -> int:
        return self._listener.port

    @property
    def url(self) -> str:
        """The address of its root, with a closing slash."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http{'s' if self._tls else ''}://{host}:{self.port}/"

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
        listening = self._listener.listen(self._host, 0, self._tls)
        asyncio.run_coroutine_threadsafe(listening, self._loop).result(5)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._listener.shut(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _take(self, request: Received) -> Answer:
        """Note a request and choose its answer. A callable stays, an answer is used up."""
        self._requests.append(request)
        if not self._answers:
            return Answer()
        first = self._answers[0]
        if isinstance(first, Answer):
            return self._answers.popleft()  # type: ignore[return-value]
        return first(request)
