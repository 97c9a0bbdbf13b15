"""One reusable libcurl handle and what it gathers during a transfer."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from time import monotonic

import pycurl

from channels_app.http.client import CONNECT_TIMEOUT, ca_bundle, user_agent
from channels_app.http.errors import ErrorCode, TransportError
from channels_app.http.finished import CURL_ERRORS, Finished
from channels_app.http.headers import Headers
from channels_app.http.message import KEPT_BODY, MAX_BODY, HttpRequest, HttpResponse
from channels_app.http.outgoing import BODILESS, checked_fields
from channels_app.http.policy import AddressPolicy

IDLE_CONNECTION = 30
"""Seconds that an unused connection stays open."""


class _LentSocket(socket.socket):
    """libcurl works with a duplicate of the descriptor, so this one goes with its object."""

    def __del__(self) -> None:
        self.close()


class Slot:
    """Carries one request at a time, always under the same policy."""

    def __init__(self, policy: AddressPolicy) -> None:
        self.curl = pycurl.Curl()
        self.host = ""
        self.resolved: Callable[[], None] | None = None
        """Called once, from inside libcurl, when the host's name turned into an address."""
        self._policy = policy
        self._shape: tuple[str, bool] | None = None
        self._kept: tuple[str, int] | None = None  # the URL and the timeout that libcurl has
        self._lines: list[bytes] = []
        self._chunks: list[bytes] = []

    def load(self, key: int, request: HttpRequest) -> None:
        """Prepare a transfer; TransportError when the request cannot be put on the wire."""
        self.key = key
        self.started_at = datetime.now(UTC)
        self._began = monotonic()
        self._waited = 0.0
        self._lines.clear()
        self._chunks.clear()
        self._received = 0
        self._reached = self._refused = False
        try:
            self._prepare(request)
        except (pycurl.error, TypeError, ValueError, AttributeError):
            self._shape = None
            raise TransportError(ErrorCode.BAD_REQUEST) from None

    def resume(self) -> None:
        """Count the time since load against the request's own before it leaves."""
        self._waited = monotonic() - self._began
        self._kept = None
        self.curl.setopt(pycurl.TIMEOUT_MS, max(1, self._timeout - int(self._waited * 1000)))

    def answered(self) -> Finished:
        response = HttpResponse(
            status=self.curl.getinfo(pycurl.RESPONSE_CODE),
            headers=Headers.parse(self._lines),
            body=b"".join(self._chunks)[:KEPT_BODY],
            truncated=self._received > KEPT_BODY,
            elapsed=self._elapsed(),
        )
        return Finished(self.key, self.started_at, response.elapsed, response, None)

    def failed(self, error: int) -> Finished:
        """Judge libcurl's error number: an answer that was cut for its size is still one."""
        if error == pycurl.E_WRITE_ERROR and self._received > MAX_BODY:
            return self.answered()
        code = CURL_ERRORS.get(error, ErrorCode.PROTOCOL)
        if self._reached:
            pass
        elif self._refused:
            code = ErrorCode.REFUSED_ADDRESS
        elif code is ErrorCode.TIMEOUT and self.resolved is not None:
            code = ErrorCode.DNS  # the lookup took all the time
        return Finished(self.key, self.started_at, self._elapsed(), None, TransportError(code))

    def ended(self, error: TransportError | None) -> Finished:
        return Finished(self.key, self.started_at, monotonic() - self._began, None, error)

    def close(self) -> None:
        self.curl.close()

    def _elapsed(self) -> float:
        return self._waited + float(self.curl.getinfo(pycurl.TOTAL_TIME))

    def _prepare(self, request: HttpRequest) -> None:
        target = self._policy.target(request.url)
        self.host = target.host
        fields = checked_fields(request)
        # libcurl reads "Name;" as an empty field and "Name:" as one that it must leave out.
        lines = [f"{name}: {value}" if value else f"{name};" for name, value in fields]
        lines.append("Expect:")
        named = "Content-Type" in request.headers  # as nearly all do, which is seen at once
        if not named and "content-type" not in [name.lower() for name, _ in fields]:
            lines.append("Content-Type:")
        self._timeout = max(1, int(request.timeout * 1000))
        self._shape_for(request.method, with_body=bool(request.body))
        curl = self.curl
        if self._kept != (target.url, self._timeout):
            curl.setopt(pycurl.URL, target.url)
            curl.setopt(pycurl.TIMEOUT_MS, self._timeout)
            self._kept = (target.url, self._timeout)
        curl.setopt(pycurl.HTTPHEADER, lines)
        if request.body:
            curl.setopt(pycurl.POSTFIELDSIZE_LARGE, len(request.body))
            curl.setopt(pycurl.READFUNCTION, BytesIO(request.body).read)

    def _shape_for(self, method: str, *, with_body: bool) -> None:
        """Set what stays the same between requests of one shape."""
        if self._shape == (method, with_body):
            return
        curl = self.curl
        curl.reset()
        self._kept = None
        self._set_constants()
        if with_body or method not in BODILESS:
            curl.setopt(pycurl.POST, 1)
            curl.setopt(pycurl.POSTFIELDSIZE_LARGE, 0)
        elif method == "HEAD":
            curl.setopt(pycurl.NOBODY, 1)
        if method not in {"POST", "HEAD"}:
            curl.setopt(pycurl.CUSTOMREQUEST, method)
        # When a kept connection dies under a request, libcurl sends the request once more by
        # itself. A body that it cannot rewind stops it; without one, only a fresh connection
        # does. Every repeat of what is not safe is the engine's to make and to log.
        if not with_body and method not in {"GET", "HEAD", "OPTIONS"}:
            curl.setopt(pycurl.FRESH_CONNECT, 1)
        self._shape = (method, with_body)

    def _set_constants(self) -> None:
        curl = self.curl
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)
        curl.setopt(pycurl.HEADERFUNCTION, self._lines.append)  # libcurl stops at 300 KiB
        curl.setopt(pycurl.WRITEFUNCTION, self._write)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.NOPROXY, "*")  # not from the environment either
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.TCP_NODELAY, 1)
        curl.setopt(pycurl.TCP_KEEPALIVE, 1)
        curl.setopt(pycurl.MAXAGE_CONN, IDLE_CONNECTION)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(CONNECT_TIMEOUT * 1000))
        # One request per connection at a time: a broken one takes a single delivery with it.
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.HTTP_CONTENT_DECODING, 0)
        curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)  # or newer
        curl.setopt(pycurl.CAINFO, ca_bundle())
        curl.setopt(pycurl.USERAGENT, user_agent())

    def _open_socket(self, _purpose: int, address: pycurl.CurlSockAddr) -> socket.socket | int:
        if self.resolved is not None:
            self.resolved()
            self.resolved = None
        family, kind, protocol, place = address
        internet = family in {socket.AF_INET, socket.AF_INET6} and not isinstance(place, bytes)
        if not internet or not self._policy.permits(str(place[0]), int(place[1])):
            self._refused = True
            return pycurl.SOCKET_BAD
        self._reached = True
        try:
            return _LentSocket(family, kind, protocol)
        except OSError:  # out of descriptors, or an address family that this machine lacks
            return pycurl.SOCKET_BAD

    def _write(self, chunk: bytes) -> int | None:
        """Keep the beginning, read on for a while, then stop the transfer."""
        if self._received < KEPT_BODY:
            self._chunks.append(chunk)
        self._received += len(chunk)
        return 0 if self._received > MAX_BODY else None
