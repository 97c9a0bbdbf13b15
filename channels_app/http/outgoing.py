"""What may go on the wire."""

import re
from functools import lru_cache

from channels_app.http.errors import ErrorCode, TransportError
from channels_app.http.message import HttpRequest

BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
METHODS = BODILESS | {"POST", "PUT", "PATCH"}
LONGEST_TIMEOUT = 3600
"""Seconds."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PLAIN = bytes(range(0x20, 0x7F))
_VALUE = re.compile(r"[\t\x20-\x7e]*")

# The transports frame the message and name the host; a caller that could would be able to
# smuggle a second request or reach another virtual host than the URL shows.
_RESERVED = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def checked_fields(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the header fields, trimmed; TransportError when the request cannot be sent.

    The URL is for AddressPolicy to judge.
    """
    if request.method not in METHODS:
        raise TransportError(ErrorCode.BAD_REQUEST, "The method is not one that can be sent.")
    if request.method == "HEAD" and request.body:
        raise TransportError(ErrorCode.BAD_REQUEST, "A HEAD request has no body.")
    if not 0 < request.timeout <= LONGEST_TIMEOUT:
        raise TransportError(ErrorCode.BAD_REQUEST, "The timeout makes no sense.")
    headers = request.sealed().headers
    if not all(map(_may_be_set, headers)):
        raise TransportError(ErrorCode.BAD_REQUEST, "A header has a name that is not allowed.")
    # Nearly all are of these alone, which is seen far quicker, and of all values at once.
    values = "".join(headers.values())
    if not values.isascii() or values.encode().translate(None, _PLAIN):
        for name, value in headers.items():
            if not _VALUE.fullmatch(value):
                raise TransportError(
                    ErrorCode.BAD_REQUEST,
                    f"The header {name} holds a character that is not allowed.",
                )
    return [(name, value.strip()) for name, value in headers.items()]


@lru_cache(maxsize=1024)
def _may_be_set(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and name.lower() not in _RESERVED
