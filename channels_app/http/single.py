"""The single call: a token, a control request. For many, see BulkTransport."""

import http.client
import socket
import ssl
from contextlib import suppress
from http import HTTPStatus
from threading import Thread
from time import monotonic

import requests
import urllib3.exceptions

from channels_app.http.client import CONNECT_TIMEOUT
from channels_app.http.errors import ErrorCode, TransportError
from channels_app.http.guarded_session import guarded_session, open_socket
from channels_app.http.headers import Headers
from channels_app.http.message import KEPT_BODY, MAX_BODY, HttpRequest, HttpResponse
from channels_app.http.outgoing import checked_fields
from channels_app.http.policy import AddressPolicy

_READ_SIZE = 64 * 1024


def fetch(request: HttpRequest, policy: AddressPolicy) -> HttpResponse:
    """Send one request and wait for its answer, whatever its status; TransportError if none.

    A redirect is an answer. The request's timeout bounds the whole exchange, from the name
    lookup to the last byte.
    """
    exchange = _Exchange(request, policy)
    # Neither a lookup nor an answer that drips byte by byte can be bounded from within its own
    # thread: requests knows timeouts per read only.
    thread = Thread(target=exchange.run, name="fetch", daemon=True)
    thread.start()
    thread.join(request.timeout)
    if thread.is_alive():
        exchange.abandon()
        raise TransportError(ErrorCode.TIMEOUT)
    if exchange.response is None:
        raise exchange.error or TransportError(ErrorCode.PROTOCOL)
    return exchange.response


class _Exchange:
    """A request and its answer, which another thread may give up on."""

    def __init__(self, request: HttpRequest, policy: AddressPolicy) -> None:
        self.response: HttpResponse | None = None
        self.error: Exception | None = None
        self._request = request
        self._policy = policy
        self._target = policy.target(request.url)
        self._headers = dict(checked_fields(request))
        self._abandoned = False
        self._line: socket.socket | None = None

    def run(self) -> None:
        try:
            self.response = self._exchange()
        except TransportError as error:
            self.error = error
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            self.error = TransportError(_code(error))
        except Exception as error:  # the calling thread raises it
            self.error = error
        finally:
            if self._line is not None:
                self._line.close()

    def abandon(self) -> None:
        """End the exchange wherever it is; a request that has not left stays here."""
        self._abandoned = True
        if self._line is not None:
            with suppress(OSError):  # it may have just ended by itself
                self._line.shutdown(socket.SHUT_RDWR)

    def _exchange(self) -> HttpResponse:
        request = self._request
        began = monotonic()
        with (
            guarded_session(self._connect) as session,
            session.request(
                request.method,
                self._target.url,
                headers=self._headers,
                data=request.body or None,
                timeout=(CONNECT_TIMEOUT, request.timeout),
                stream=True,
            ) as answer,
        ):
            if answer.status_code < HTTPStatus.OK:  # http.client waits out 100 only
                raise TransportError(ErrorCode.PROTOCOL)
            body, size = b"", 0
            # Unlike stream(), read() bounds the lines of a chunked body.
            while size <= MAX_BODY and (chunk := answer.raw.read(_READ_SIZE, decode_content=False)):
                body += chunk[: KEPT_BODY - len(body)]
                size += len(chunk)
            return HttpResponse(
                status=answer.status_code,
                headers=Headers(answer.raw.headers.iteritems()),
                body=body,
                truncated=size > KEPT_BODY,
                elapsed=monotonic() - began,
            )

    def _connect(self, host: str, port: int) -> socket.socket:
        opened = open_socket(host, port, self._policy, CONNECT_TIMEOUT)
        # TLS takes the socket over; a second descriptor still reaches the connection.
        self._line = opened.dup()
        if self._abandoned:
            opened.close()
            raise TransportError(ErrorCode.TIMEOUT)
        return opened


# Asked in this order of each layer in turn: a lost connection is an OSError as well.
_CAUSES: tuple[tuple[tuple[type[BaseException], ...], ErrorCode], ...] = (
    ((TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError), ErrorCode.TIMEOUT),
    ((ssl.SSLError, urllib3.exceptions.SSLError), ErrorCode.TLS),
    ((http.client.LineTooLong,), ErrorCode.TOO_LARGE),
    ((ConnectionError, http.client.IncompleteRead), ErrorCode.CLOSED),
    ((requests.exceptions.InvalidURL,), ErrorCode.BAD_URL),
)


def _code(error: BaseException) -> ErrorCode:
    """Find the cause under the layers of three libraries."""
    cause: BaseException | None = error
    while cause is not None:
        for kinds, code in _CAUSES:
            if isinstance(cause, kinds):
                return code
        cause = cause.__cause__ or cause.__context__
    return ErrorCode.PROTOCOL
