"""How a submitted request ended."""

from datetime import datetime
from typing import NamedTuple

import pycurl

from channels_app.http.errors import ErrorCode, TransportError
from channels_app.http.message import HttpResponse

_E_TOO_LARGE = 100  # CURLE_TOO_LARGE, which pycurl does not name
CURL_ERRORS = {
    pycurl.E_URL_MALFORMAT: ErrorCode.BAD_URL,
    pycurl.E_COULDNT_RESOLVE_HOST: ErrorCode.DNS,
    pycurl.E_COULDNT_CONNECT: ErrorCode.CONNECT,
    pycurl.E_OPERATION_TIMEDOUT: ErrorCode.TIMEOUT,
    pycurl.E_SSL_CONNECT_ERROR: ErrorCode.TLS,
    pycurl.E_SSL_CIPHER: ErrorCode.TLS,
    pycurl.E_PEER_FAILED_VERIFICATION: ErrorCode.TLS,
    pycurl.E_SSL_CACERT_BADFILE: ErrorCode.TLS,
    pycurl.E_SSL_ISSUER_ERROR: ErrorCode.TLS,
    pycurl.E_GOT_NOTHING: ErrorCode.CLOSED,
    pycurl.E_PARTIAL_FILE: ErrorCode.CLOSED,
    pycurl.E_SEND_ERROR: ErrorCode.CLOSED,
    pycurl.E_RECV_ERROR: ErrorCode.CLOSED,
    pycurl.E_SEND_FAIL_REWIND: ErrorCode.CLOSED,
    _E_TOO_LARGE: ErrorCode.TOO_LARGE,
}


class Finished(NamedTuple):
    """One submitted request's end: a response, or the error that stood in its way.

    ``started_at`` is the wall clock at submission, aware; ``elapsed`` is in seconds.
    """

    key: int
    started_at: datetime
    elapsed: float
    response: HttpResponse | None
    error: TransportError | None
