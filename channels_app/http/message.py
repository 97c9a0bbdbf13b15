"""A request to send and the answer that came, free of any I/O."""

import codecs
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from channels_app.http.headers import Headers, storable

KEPT_BODY = 64 * 1024
"""Bytes of an answer's body that are kept."""

MAX_BODY = 1024 * 1024
"""Bytes of an answer's body that are read before the transfer is stopped."""

DEFAULT_TIMEOUT = 15.0
"""Seconds for the whole exchange; Standard Webhooks 1.0.0 recommends 15 to 30."""

LONGEST_RETRY_AFTER = timedelta(days=1)

# Only charsets of plain text: Python's registry also holds codecs that take quadratic time
# (punycode, idna) or interpret escapes.
_CHARSET_PREFIXES = ("iso8859", "cp125", "euc_", "koi8", "big5", "gb", "shift_jis", "windows")
_CHARSETS = frozenset({"ascii", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"})


class BadAnswer(ValueError):
    """An answer whose body is not what the protocol promises."""


class Seal(NamedTuple):
    """What takes its time to make, such as an RSA signature over the body, and where it goes."""

    sign: Callable[[], bytes]
    headers: Callable[[bytes], Mapping[str, str]]


class HttpRequest(NamedTuple):
    """What to send. ``timeout`` bounds the whole exchange, in seconds.

    With a ``seal``, its headers are still missing. Whoever has many requests puts all together,
    then makes all signatures, then seals all: after a signature the caches of the processor hold
    nothing of the code beside it, which takes two to three times as long then
    (docs/benchmarks.md).
    """

    method: str
    url: str
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes = b""
    timeout: float = DEFAULT_TIMEOUT
    seal: Seal | None = None

    def sealed(self, signature: bytes | None = None) -> "HttpRequest":
        """Return the request with all its headers: the transports send no other."""
        if self.seal is None:
            return self
        made = self.seal.headers(self.seal.sign() if signature is None else signature)
        return HttpRequest(self.method, self.url, {**self.headers, **made}, self.body, self.timeout)

    @classmethod
    def post_json(
        cls,
        url: str,
        payload: object,
        headers: Mapping[str, str] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Self:
        """POST ``payload`` as compact UTF-8 JSON; ValueError when it holds NaN or infinity."""
        fields = dict(headers or {})
        if not any(name.lower() == "content-type" for name in fields):
            fields["Content-Type"] = "application/json"
        text = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return cls("POST", url, fields, text.encode("utf-8", "replace"), timeout)


class HttpResponse(NamedTuple):
    """What the far end said. Hostile until proven otherwise.

    ``body`` holds at most KEPT_BODY bytes; ``truncated`` tells that there was more.
    ``elapsed`` is in seconds.
    """

    status: int
    headers: Headers = Headers()
    body: bytes = b""
    truncated: bool = False
    elapsed: float = 0.0

    def text(self) -> str:
        """Return the body in its declared charset, else UTF-8, as text that can be stored."""
        text = self.body.decode(_charset(self.headers.get("content-type", "")), "replace")
        return storable(text.removeprefix("\ufeff"))

    def json_object(self) -> dict[str, Any]:
        """Return the body's JSON object, its strings storable; BadAnswer when it is none."""
        if self.truncated:
            raise BadAnswer("The answer is too large to be read.")
        text = self.text()
        try:
            value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
            if "\\u" in text:
                value = _storable(value)
        except (ValueError, RecursionError):
            raise BadAnswer("The answer is not JSON.") from None
        if not isinstance(value, dict):
            raise BadAnswer("The answer is not a JSON object.")
        return value

    def retry_after(self, now: datetime) -> timedelta | None:
        """Return the wait asked for by ``Retry-After`` (RFC 9110, 10.2.3), of a day at most.

        None when the header is missing or malformed.
        """
        asked = self.headers.get("retry-after", "").strip()
        if asked.isascii() and asked.isdigit():
            # Digits beyond these are past the longest wait, and int() limits their number.
            return min(timedelta(seconds=int(asked[:9])), LONGEST_RETRY_AFTER)
        try:
            until = parsedate_to_datetime(asked)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        if until.tzinfo is None:  # the asctime form names no zone; HTTP dates are in UTC
            until = until.replace(tzinfo=UTC)
        return max(timedelta(), min(until - now, LONGEST_RETRY_AFTER))


@lru_cache(maxsize=256)
def _charset(content_type: str) -> str:
    message = Message()
    message["content-type"] = content_type
    try:
        name = codecs.lookup(message.get_content_charset("utf-8")).name
    except (LookupError, ValueError):
        return "utf-8"
    known = name in _CHARSETS or name.startswith(_CHARSET_PREFIXES)
    return name if known else "utf-8"


def _refuse(constant: str) -> float:
    raise ValueError(constant)


def _finite(digits: str) -> float:
    number = float(digits)
    if number in {float("inf"), float("-inf")}:
        raise ValueError(digits)
    return number


def _storable(value: Any) -> Any:
    """Clean every string of a decoded JSON value: escapes can spell what text() removed."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(name): _storable(item) for name, item in value.items()}
    return value
