"""A requests session whose every connection obeys an address policy."""

import socket
from collections.abc import Callable
from typing import Any

from requests.adapters import HTTPAdapter
from requests_hardened import Config, HTTPSession
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from channels_app.http.client import CONNECT_TIMEOUT, ca_bundle, user_agent
from channels_app.http.errors import ErrorCode, TransportError
from channels_app.http.policy import AddressPolicy

Connect = Callable[[str, int], socket.socket]


def guarded_session(connect: Connect) -> HTTPSession:
    """Return a session that follows no redirect, asks no proxy and connects by ``connect``."""
    session = HTTPSession(
        Config(
            # The library's own filter judges only the first address of a name, and can except
            # loopback but no network; ours judges the address that is connected to.
            ip_filter_enable=False,
            ip_filter_allow_loopback_ips=False,
            never_redirect=True,
            default_timeout=CONNECT_TIMEOUT,
        )
    )
    session.trust_env = False  # neither proxies nor netrc
    session.verify = ca_bundle()
    session.headers.clear()
    session.headers.update(
        {
            "User-Agent": user_agent(),
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
    )
    adapter = _Adapter(connect)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def open_socket(host: str, port: int, policy: AddressPolicy, timeout: float) -> socket.socket:
    """Connect to the first address of ``host`` that the policy permits and that answers.

    ``timeout`` is in seconds, for each address. Raises TransportError.
    """
    try:
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise TransportError(ErrorCode.DNS) from None
    failure = ErrorCode.REFUSED_ADDRESS
    for family, kind, protocol, _, place in places:
        if not policy.permits(str(place[0]), int(place[1])):
            continue
        try:
            opened = socket.socket(family, kind, protocol)
        except OSError:
            failure = ErrorCode.CONNECT
            continue
        try:
            opened.settimeout(timeout)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.connect(place)
        except OSError as error:
            opened.close()
            failure = ErrorCode.TIMEOUT if isinstance(error, TimeoutError) else ErrorCode.CONNECT
        else:
            return opened
    raise TransportError(failure)


class _Adapter(HTTPAdapter):
    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        connect = self._connect

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return connect(self.host, self.port)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return connect(self.host, self.port)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
