"""Received header fields, and text that can be stored."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Self

MAX_FIELDS = 100
MAX_FIELD_CHARS = 4096
_KEPT_BLOCK = 4096  # bytes

_SURROGATES = re.compile("[\ud800-\udfff]")


def storable(text: str) -> str:
    """Return ``text`` without what PostgreSQL cannot store: NULs and lone surrogates."""
    text = text.replace("\x00", "")
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


class Headers(Mapping[str, str]):
    """Received fields by lower-cased name, looked up in any case; repeated ones joined."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: dict[str, str] = {}
        for raw_name, raw_value in fields:
            name, value = raw_name.replace("\x00", "").lower(), raw_value.replace("\x00", "")
            known = self._fields.get(name)
            if known is not None:
                value = f"{known}, {value}"
            elif len(self._fields) == MAX_FIELDS:
                continue
            self._fields[name] = value[:MAX_FIELD_CHARS]

    @classmethod
    def parse(cls, lines: Iterable[bytes]) -> "Headers":
        """Read the last header block of raw lines: interim answers and trailers stay out.

        Kept for a while: but for its date, an endpoint says the same thousands of times.
        """
        block = b"".join(lines)
        return _parsed(block) if len(block) <= _KEPT_BLOCK else cls._read(block)

    @classmethod
    def _read(cls, block: bytes) -> Self:
        fields: list[tuple[str, str]] = []
        inside = False
        for line in block.split(b"\n"):
            if line.startswith(b"HTTP/"):
                fields, inside = [], True
            elif not line.strip():
                inside = False
            elif inside:
                name, _, value = line.decode("latin-1").partition(":")
                fields.append((name.strip(), value.strip()))
        return cls(fields)

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Headers({self._fields!r})"


@lru_cache(maxsize=128)
def _parsed(block: bytes) -> Headers:
    return Headers._read(block)
