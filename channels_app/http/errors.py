"""Why a request got no answer, in words fit for a log that outsiders may read."""

from enum import StrEnum


class ErrorCode(StrEnum):
    """Stable: attempts store these values."""

    BAD_URL = "bad_url"
    BAD_REQUEST = "bad_request"
    REFUSED_ADDRESS = "refused_address"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    CLOSED = "closed"
    TOO_LARGE = "too_large"
    PROTOCOL = "protocol"


_MESSAGES = {
    ErrorCode.BAD_URL: "The URL cannot be used.",
    ErrorCode.BAD_REQUEST: "The request cannot be put on the wire.",
    ErrorCode.REFUSED_ADDRESS: "The host stands at an address that this installation may not call.",
    ErrorCode.DNS: "The host name could not be resolved.",
    ErrorCode.CONNECT: "No connection could be made.",
    ErrorCode.TLS: "No trusted TLS connection could be made.",
    ErrorCode.TIMEOUT: "The time ran out before the answer was complete.",
    ErrorCode.CLOSED: "The connection was closed before the answer was complete.",
    ErrorCode.TOO_LARGE: "The header of the answer is too large.",
    ErrorCode.PROTOCOL: "The answer is not HTTP that can be understood.",
}


class TransportError(Exception):
    """No answer to a request.

    The message names nothing of the inside: no resolved address, no library's own words.
    """

    def __init__(self, code: ErrorCode, message: str = "") -> None:
        self.code = code
        self.message = message or _MESSAGES[code]
        super().__init__(code, self.message)

    def __str__(self) -> str:
        return self.message

    @property
    def permanent(self) -> bool:
        """True when the same request can never leave, however often it is tried."""
        return self.code in {ErrorCode.BAD_URL, ErrorCode.BAD_REQUEST}
