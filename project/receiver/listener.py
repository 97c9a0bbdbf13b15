"""Listens, reads requests and answers them, on an event loop."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import cast

from project.receiver.answers import Answer
from project.receiver.requests import (
    LONGEST_HEAD,
    Body,
    Head,
    Malformed,
    Received,
    body_of,
    read_head,
)


class Listener:
    """Asks ``take`` what to answer each request, which must not block.

    Of each body ``keeps`` bytes are kept (None: all). ``malformed`` hears of what was no HTTP.
    """

    def __init__(
        self,
        take: Callable[[Received], Answer],
        *,
        keeps: int | None = None,
        malformed: Callable[[str], None] | None = None,
    ) -> None:
        self.take = take
        self.keeps = keeps
        self.malformed = malformed
        self.port = 0
        self.connections = 0
        """Accepted so far."""
        self.open: set[asyncio.Transport] = set()
        self.answering: set[asyncio.Task[None]] = set()
        self.closing = False
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Listen from now on; port 0 is a free one. Raises OSError."""
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Connection(self), host, port, ssl=tls, backlog=4096
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Cut off whoever is connected, and listen no more."""
        self.closing = True
        if self._server is not None:
            self._server.close()
        for transport in list(self.open):
            transport.abort()
        while self.open or self.answering:
            await asyncio.sleep(0)


class _Connection(asyncio.Protocol):
    """Requests one after another; the next is looked at when the last one is answered."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._buffer = b""
        self._reading: tuple[Head, Body] | None = None
        self._answering: asyncio.Task[None] | None = None
        self._room = asyncio.Event()  # for more to be written
        self._room.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._listener.connections += 1
        self._listener.open.add(self._transport)
        if self._listener.closing:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.open.discard(self._transport)
        if self._answering is not None:
            self._answering.cancel()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._answering is None:
            self._go_on()
        elif len(self._buffer) > LONGEST_HEAD:
            self._transport.pause_reading()

    def _go_on(self) -> None:
        """Answer what is in the buffer, as far as requests are complete."""
        try:
            while self._buffer and self._answering is None and not self._transport.is_closing():
                if self._reading is None:
                    self._reading = self._begin()
                if self._reading is None or not self._read_on(*self._reading):
                    return
        except Malformed as why:
            self._malformed(str(why))
            refusal = Answer(400, {"Connection": "close"}, b'{"ok": false}')
            self._transport.write(refusal.encoded(with_body=True))
            self._transport.close()

    def _malformed(self, why: str) -> None:
        if self._listener.malformed is not None:
            self._listener.malformed(why)

    def _begin(self) -> tuple[Head, Body] | None:
        """Read a head, if all of it is there."""
        self._buffer = self._buffer.lstrip(b"\r\n")
        if self._buffer and not self._buffer[:1].isalpha():  # a TLS greeting, say
            self._malformed("no HTTP at all; https on a port for http?")
            self._transport.abort()
            return None
        end = self._buffer.find(b"\r\n\r\n")
        if max(end, len(self._buffer) if end < 0 else 0) > LONGEST_HEAD:
            raise Malformed("an endless head")
        if end < 0:
            return None
        head = read_head(self._buffer[:end])
        body = body_of(head, self._listener.keeps)
        self._buffer = self._buffer[end + 4 :]
        if not self._buffer and head.headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return head, body

    def _read_on(self, head: Head, body: Body) -> bool:
        """Read the body; once it is whole, answer."""
        if not body.done:
            self._buffer = body.feed(self._buffer)
        if not body.done:
            return False
        self._reading = None
        at = datetime.now(UTC)
        request = Received(head.method, head.path, head.headers, body.kept, at, body.size)
        self._say(head, self._listener.take(request))
        return True

    def _say(self, head: Head, answer: Answer) -> None:
        with_body = head.method != "HEAD"
        closes = answer.closes() or not head.persistent
        whole = answer.at_once(with_body=with_body)
        if whole is None:
            later = self._say_slowly(answer, with_body=with_body, closes=closes)
            self._answering = asyncio.get_running_loop().create_task(later)
            self._listener.answering.add(self._answering)
            self._answering.add_done_callback(self._listener.answering.discard)
            return
        self._transport.write(whole)
        if closes:
            self._transport.close()

    async def _say_slowly(self, answer: Answer, *, with_body: bool, closes: bool) -> None:
        async with aclosing(answer.pieces(with_body=with_body)) as pieces:
            async for piece in pieces:
                await self._room.wait()
                self._transport.write(piece)
        self._answering = None
        if closes:
            self._transport.close()
        elif not self._transport.is_closing():
            self._transport.resume_reading()
            self._go_on()
