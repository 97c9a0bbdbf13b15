"""What comes to `manage.py receiver` otherwise: no HTTP, pieces, many connections."""

import re
import resource
import socket
from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.processes


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"GET / SPDY/9\r\n\r\n",
        b"POST / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 9000,
        b"POST / HTTP/1.1\r\nX: " + b"y" * 70_000,
    ],
    ids=lambda sent: repr(sent[:60]),
)
def test_what_is_no_http_is_refused_and_harms_nobody(receiver, sent):
    with receiver.connect() as other:
        other.sendall(sent)
        said = b"".join(_read_on(other))
    assert said == b"" or said.startswith(b"HTTP/1.1 400 ")
    assert receiver.received()["malformed"] == 1
    assert receiver.post("/").status_code == 200


def _read_on(connection: socket.socket) -> Iterator[bytes]:
    """All until the far end closes, or cuts it off because it read no further."""
    try:
        while data := connection.recv(65536):
            yield data
    except ConnectionResetError:
        return


def test_requests_come_in_pieces_and_several_at_once(receiver):
    request = b"POST /%s HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd"
    sent = request % b"201" + request % b"202:delay=0.2" + b"\r\n" + request % b"203:status=206"
    last = b"POST /205 HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nab\r\n0\r\nT: 1\r\n\r\n"
    with receiver.connect() as whole, receiver.connect() as pieces:
        pieces.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        whole.sendall(sent + last)
        for byte in sent + last:
            pieces.sendall(bytes([byte]))  # each in a packet of its own
        answers = [b"".join(_read_on(connection)) for connection in (whole, pieces)]
    assert answers[0] == answers[1]
    assert re.findall(rb"HTTP/1.1 (\d+)", answers[0]) == [b"201", b"202", b"206", b"205"]
    assert [one["body"] for one in receiver.received()["requests"][:2]] == ["abcd", "abcd"]


def test_who_waits_for_leave_to_send_a_body_gets_it(receiver):
    with receiver.connect() as asking:
        asking.sendall(b"POST /201 HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert asking.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        asking.sendall(b"{}")
        assert asking.recv(12) == b"HTTP/1.1 201"


def test_more_connections_stay_open_than_a_shell_allows(start):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        receiver = start("--quiet")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    connections = [receiver.connect() for _ in range(600)]
    for _ in range(2):
        for connection in connections:
            connection.sendall(b"POST /201 HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
        assert {connection.recv(65536)[:12] for connection in connections} == {b"HTTP/1.1 201"}
    for connection in connections:
        connection.close()
    assert receiver.received()["total"] == 1200
