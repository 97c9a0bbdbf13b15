"""What a receiver says to one request, as bytes and waits."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

OK_BODY = b'{"ok": true}'
CHUNK = 64 * 1024  # bytes of a filler that are made at a time
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_BODILESS = {204, 304}


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say to one request.

    ``delay`` is in seconds. ``drop`` closes the connection without a word; ``hang`` keeps it open
    without one. So many bytes as ``filler`` says follow the body, made while they are sent.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = OK_BODY
    delay: float = 0.0
    drop: bool = False
    hang: bool = False
    filler: int = 0

    def closes(self) -> bool:
        """Whether the connection ends with this answer."""
        return self.drop or self.headers.get("Connection") == "close"

    def encoded(self, *, with_body: bool) -> bytes:
        """All of it but the filler."""
        if self.drop:
            return b""
        fields = {"Content-Type": "application/json"}
        if self.status not in _BODILESS:
            fields["Content-Length"] = str(len(self.body) + self.filler)
        head = "".join(f"{name}: {value}\r\n" for name, value in {**fields, **self.headers}.items())
        phrase = _PHRASES.get(self.status, "Status")
        body = self.body if with_body and self.status not in _BODILESS else b""
        return f"HTTP/1.1 {self.status} {phrase}\r\n{head}\r\n".encode("latin-1") + body

    def at_once(self, *, with_body: bool) -> bytes | None:
        """The whole answer; None where it takes a while, see pieces()."""
        if self.delay or self.hang or self.filler:
            return None
        return self.encoded(with_body=with_body)

    async def pieces(self, *, with_body: bool) -> AsyncGenerator[bytes, None]:
        """The answer, each part when it is due."""
        await asyncio.sleep(self.delay)
        while self.hang:
            await asyncio.sleep(3600)
        yield self.encoded(with_body=with_body)
        left = self.filler if with_body else 0
        while left > 0:
            yield b"x" * min(left, CHUNK)
            left -= CHUNK
