"""What comes back from friendly and hostile receivers. Both ways out."""

import json
from datetime import UTC, datetime

import pytest

from channels_app.http import HttpRequest, Seal, TransportError
from tests.support.receiver import Answer, Receiver

OK = b"HTTP/1.1 200 OK\r\n"


def test_a_request_arrives_as_it_was_made(send, loopback, receiver):
    before = datetime.now(UTC)
    request = HttpRequest.post_json(
        receiver.url + "hook?a=1", {"text": "Grüße"}, {"X-Name": " value ", "X-Empty": ""}
    )
    response = send(request, loopback)
    (received,) = receiver.requests
    assert (received.method, received.path) == ("POST", "/hook?a=1")
    assert received.body == '{"text":"Grüße"}'.encode()
    assert received.headers["content-type"] == "application/json"
    assert received.headers["user-agent"].startswith("Carillon/")
    assert (received.headers["x-name"], received.headers["x-empty"]) == ("value", "")
    assert "expect" not in received.headers
    assert before <= received.at <= datetime.now(UTC)
    assert response.json_object() == {"ok": True}
    assert 0 < response.elapsed < 5


@pytest.mark.parametrize("body", [b"", b"\x00\xff"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "DELETE", "POST", "PUT", "PATCH"])
def test_every_method_travels_with_and_without_a_body(method, body, send, loopback, receiver):
    assert send(HttpRequest(method, receiver.url, body=body), loopback).status == 200
    assert [(request.method, request.body) for request in receiver.requests] == [(method, body)]


def test_a_head_request_is_answered_without_a_body(send, loopback, receiver):
    response = send(HttpRequest("HEAD", receiver.url), loopback)
    assert (response.status, response.body, response.truncated) == (200, b"", False)
    assert receiver.requests[0].method == "HEAD"


def test_a_request_without_content_type_gets_none(send, loopback, receiver):
    send(HttpRequest("POST", receiver.url, body=b"x"), loopback)
    assert "content-type" not in receiver.requests[0].headers


def test_a_request_may_name_its_own_agent(send, loopback, receiver):
    send(HttpRequest("GET", receiver.url, {"User-Agent": "DataNotifier"}), loopback)
    assert receiver.requests[0].headers["user-agent"] == "DataNotifier"


def test_what_a_seal_makes_travels_with_the_other_headers(send, loopback, receiver):
    seal = Seal(lambda: b"t", lambda made: {"Authorization": f"Bearer {made.decode()}"})
    request = HttpRequest("POST", receiver.url, {"X-Name": "a"}, b"x", seal=seal)
    send(request, loopback)
    headers = receiver.requests[0].headers
    assert (headers["x-name"], headers["authorization"]) == ("a", "Bearer t")


def test_a_seal_may_set_no_more_than_any_other_header(send, loopback, receiver):
    seal = Seal(lambda: b"", lambda made: {"Host": "elsewhere.example"})
    request = HttpRequest("POST", receiver.url, seal=seal)
    with pytest.raises(TransportError):
        send(request, loopback)
    assert not receiver.requests


def test_a_large_body_arrives_whole(send, loopback, receiver):
    body = b"0123456789" * 200_000
    send(HttpRequest("POST", receiver.url, body=body), loopback)
    assert receiver.requests[0].body == body


@pytest.mark.parametrize("status", [200, 204, 400, 401, 404, 413, 429, 500, 503, 599])
def test_any_status_is_an_answer(status, send, loopback):
    with Receiver(Answer(status, {"X-Trace": "7"}, b"")) as receiver:
        response = send(HttpRequest.post_json(receiver.url, {}), loopback)
    assert response.status == status
    assert response.headers["X-TRACE"] == response.headers["x-trace"] == "7"


def test_an_interim_answer_is_skipped_and_repeated_headers_are_joined(send, loopback):
    raw = (
        b"HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n"
        b"HTTP/1.1 201 Created\r\nA: 1\r\na: 2\r\nContent-Length: 2\r\n\r\nok"
    )
    with Receiver(Answer(raw=raw)) as receiver:
        response = send(HttpRequest("GET", receiver.url), loopback)
    assert (response.status, response.body) == (201, b"ok")
    assert response.headers == {"a": "1, 2", "content-length": "2"}


def test_a_chunked_answer_is_put_together_and_its_trailers_left_out(send, loopback):
    raw = OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n"
    with Receiver(Answer(raw=raw)) as receiver:
        response = send(HttpRequest("GET", receiver.url), loopback)
    assert response.body == b"abcde"
    assert "t" not in response.headers


@pytest.mark.parametrize("size", [64 * 1024 + 1, 900_000, 5_000_000])
def test_a_huge_body_is_cut_and_still_an_answer(size, send, loopback):
    with Receiver(Answer(body=b"x" * size)) as receiver:
        response = send(HttpRequest("GET", receiver.url), loopback)
    assert response.status == 200
    assert response.body == b"x" * 64 * 1024
    assert response.truncated


def test_a_body_at_the_limit_is_whole(send, loopback):
    with Receiver(Answer(body=b"x" * 64 * 1024)) as receiver:
        response = send(HttpRequest("GET", receiver.url), loopback)
    assert len(response.body) == 64 * 1024
    assert not response.truncated


def test_a_body_without_end_stops_before_the_time_does(send, loopback):
    raw = OK + b"\r\n" + b"x" * 20_000_000
    with Receiver(Answer(raw=raw)) as receiver:
        response = send(HttpRequest("GET", receiver.url, timeout=10), loopback)
    assert response.truncated


def test_nothing_is_decompressed(send, loopback):
    bomb = b"\x1f\x8b\x08\x00" + b"\x00" * 20
    with Receiver(Answer(headers={"Content-Encoding": "gzip"}, body=bomb)) as receiver:
        response = send(HttpRequest("GET", receiver.url), loopback)
        assert receiver.requests[0].headers.get("accept-encoding", "identity") == "identity"
    assert response.body == bomb


def test_a_body_of_any_bytes_becomes_text_that_can_be_stored(send, loopback):
    with Receiver(Answer(body=b"a\x00b\xff\xfec")) as receiver:
        response = send(HttpRequest("GET", receiver.url), loopback)
    assert response.text() == "ab\ufffd\ufffdc"


def test_a_flood_of_headers_is_bounded(send, loopback):
    lines = b"".join(b"X-%d: y\r\n" % number for number in range(90))
    raw = OK + lines + b"Long: " + b"z" * 50_000 + b"\r\nContent-Length: 0\r\n\r\n"
    with Receiver(Answer(raw=raw)) as receiver:
        response = send(HttpRequest("GET", receiver.url), loopback)
    assert len(response.headers["long"]) == 4096


def test_an_endless_header_is_an_error(send, loopback):
    endless = Answer(raw=OK + b"X: " + b"y" * 2_000_000)
    with Receiver(endless) as receiver, pytest.raises(TransportError) as failed:
        send(HttpRequest("GET", receiver.url), loopback)
    assert failed.value.code == "too_large"


def test_another_protocol_that_nobody_asked_for_is_an_error(send, loopback):
    upgrade = Answer(raw=b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n")
    with Receiver(upgrade) as receiver, pytest.raises(TransportError) as failed:
        send(HttpRequest("GET", receiver.url, timeout=5), loopback)
    assert failed.value.code in {"protocol", "closed"}


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"\x00\x01\x02\x03\r\n\r\n",
    ],
)
def test_what_is_not_http_is_an_error(raw, send, loopback):
    with Receiver(Answer(raw=raw)) as receiver, pytest.raises(TransportError) as failed:
        send(HttpRequest("GET", receiver.url), loopback)
    assert failed.value.code == "protocol"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(drop=True),
        Answer(raw=OK + b"Content-Length: 100\r\n\r\nonly this"),
        Answer(raw=OK + b"Transfer-Encoding: chunked\r\n\r\n40\r\nonly this"),
    ],
    ids=["at once", "in the body", "in a chunk"],
)
def test_a_dropped_connection_is_an_error_and_never_a_second_request(answer, send, loopback):
    with Receiver(answer) as receiver:
        with pytest.raises(TransportError) as failed:
            send(HttpRequest.post_json(receiver.url, {}), loopback)
        assert len(receiver.requests) == 1
    assert failed.value.code == "closed"


@pytest.mark.parametrize(
    "answer",
    [Answer(delay=5), Answer(drip=0.05), Answer(raw=OK + b"Content-Length: 9\r\n\r\n", drip=0.05)],
    ids=["silent", "dripping", "dripping headers"],
)
def test_a_slow_answer_runs_out_of_time(answer, send, loopback):
    with Receiver(answer) as receiver, pytest.raises(TransportError) as failed:
        send(HttpRequest("GET", receiver.url, timeout=0.3), loopback)
    assert failed.value.code == "timeout"


@pytest.mark.parametrize(
    "request_parts",
    [
        {"headers": {"X-A": "b\r\nX-Injected: 1"}},
        {"headers": {"X-A": "b\nX-Injected: 1"}},
        {"headers": {"X-A": "b\x00c"}},
        {"headers": {"X-A": "Grüße"}},
        {"headers": {"X-A\r\nX-Injected": "1"}},
        {"headers": {"X A": "1"}},
        {"headers": {"": "1"}},
        {"headers": {"Host": "inside.example"}},
        {"headers": {"content-length": "3"}},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"method": "GET / HTTP/1.1\r\nX-Injected: 1\r\n"},
        {"method": "CONNECT"},
        {"method": "HEAD"},
        {"timeout": 0},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
    ],
    ids=repr,
)
def test_a_request_that_cannot_be_sent_never_leaves(request_parts, send, loopback, receiver):
    parts = {"method": "POST", "url": receiver.url, "body": b"x"} | request_parts
    with pytest.raises(TransportError) as refused:
        send(HttpRequest(**parts), loopback)
    assert refused.value.code == "bad_request"
    assert refused.value.permanent
    assert receiver.connections == 0


def test_a_url_cannot_inject_either(send, loopback, receiver):
    with pytest.raises(TransportError) as refused:
        send(HttpRequest("GET", receiver.url + "x\r\nX-Injected: 1"), loopback)
    assert refused.value.code == "bad_url"
    assert receiver.connections == 0


def test_json_that_no_wire_can_carry_is_refused_when_made():
    with pytest.raises(ValueError):
        HttpRequest.post_json("http://a.example/", {"x": float("nan")})
    assert json.loads(HttpRequest.post_json("http://a.example/", "\ud800").body) == "?"
