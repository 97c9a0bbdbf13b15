"""A request's head and body, read as they come."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

LONGEST_HEAD = 64 * 1024  # bytes
_LONGEST_LINE = 8 * 1024  # bytes, of a chunk's size


class Malformed(ValueError):
    """This is no HTTP; the text says why."""


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came; header names lower-cased, ``at`` the time its last byte came.

    ``body`` may be the beginning only; ``size`` counts all of it.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: datetime
    size: int

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Head:
    method: str
    path: str
    headers: dict[str, str]
    persistent: bool
    """Whether the connection stays open for another request."""


def read_head(data: bytes) -> Head:
    """Read request line and header fields, without the empty line. Raises Malformed."""
    first, *lines = data.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[0].isalpha():
        raise Malformed("no request line of HTTP/1")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise Malformed("a header line without a colon")
        name, value = name.strip().lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    wish = headers.get("connection", "").lower()
    persistent = wish != "close" and (words[2] != "HTTP/1.0" or wish == "keep-alive")
    return Head(words[0], words[1], headers, persistent)


def body_of(head: Head, keeps: int | None) -> "Body":
    """Begin to read the body, of which ``keeps`` bytes are kept (None: all). Raises Malformed."""
    if "transfer-encoding" in head.headers:
        if head.headers["transfer-encoding"].lower() != "chunked":
            raise Malformed("a transfer encoding other than chunked")
        return Chunked(keeps)
    length = head.headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit() and len(length) < 19):
        raise Malformed("a Content-Length that is no number")
    return Body(keeps, int(length))


class Body:
    """A body of known length."""

    def __init__(self, keeps: int | None, left: int = 0) -> None:
        self.size = 0
        self.done = left == 0
        self._keeps = keeps
        self._kept = bytearray()
        self._left = left

    @property
    def kept(self) -> bytes:
        return bytes(self._kept)

    def feed(self, data: bytes) -> bytes:
        """Take what belongs to the body; returns what comes after it. Raises Malformed."""
        rest = self._take(data)
        self.done = self._left == 0
        return rest

    def _take(self, data: bytes) -> bytes:
        mine, rest = data[: self._left], data[self._left :]
        self._left -= len(mine)
        self.size += len(mine)
        if self._keeps is None:
            self._kept += mine
        else:
            self._kept += mine[: self._keeps - len(self._kept)]
        return rest


class Chunked(Body):
    """A body in chunks; extensions and trailers are left out."""

    def __init__(self, keeps: int | None) -> None:
        super().__init__(keeps)
        self.done = False
        self._line = b""
        self._expects = "size"

    def feed(self, data: bytes) -> bytes:
        while data and not self.done:
            if self._left:
                data = self._take(data)
                continue
            line, found, rest = (self._line + data).partition(b"\n")
            if len(line) > _LONGEST_LINE:
                raise Malformed("an endless line between chunks")
            if not found:
                self._line = line
                return b""
            self._line, data = b"", rest
            self._read(line.strip())
        return data

    def _read(self, line: bytes) -> None:
        if self._expects == "trailer":
            self.done = not line
        elif self._expects == "end":
            if line:
                raise Malformed("a chunk that is longer than it says")
            self._expects = "size"
        else:
            digits = line.partition(b";")[0].strip()
            try:
                self._left = int(digits, 16)
            except ValueError:
                raise Malformed("a chunk's size that is no number") from None
            if self._left < 0:
                raise Malformed("a chunk's size that is no number")
            self._expects = "end" if self._left else "trailer"
