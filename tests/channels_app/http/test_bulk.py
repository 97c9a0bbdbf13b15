from collections import Counter
from datetime import UTC, datetime
from itertools import count

import pytest

from channels_app.http import AddressPolicy, BulkTransport, Finished, HttpRequest, HttpResponse
from tests.channels_app.http.conftest import UNKNOWN_HOST
from tests.support.receiver import Answer, Receiver


@pytest.fixture
def transport():
    with BulkTransport(50) as bulk:
        yield bulk


def drain(transport: BulkTransport) -> dict[int, Finished]:
    """Poll until nothing is in flight; each key ends once."""
    ended: dict[int, Finished] = {}
    while transport.in_flight:
        for finished in transport.poll(10):
            assert finished.key not in ended
            ended[finished.key] = finished
    return ended


def response(finished: Finished) -> HttpResponse:
    assert finished.response is not None, finished.error
    return finished.response


def codes(ended: dict[int, Finished]) -> dict[int, str]:
    return {
        key: str(finished.error.code if finished.error else response(finished).status)
        for key, finished in ended.items()
    }


def test_five_thousand_posts_arrive_once_each_over_kept_connections(transport, loopback, receiver):
    ended: dict[int, Finished] = {}
    keys = count()
    while len(ended) < 5000:
        while transport.in_flight < 50 and (key := next(keys)) < 5000:
            transport.submit(key, HttpRequest.post_json(receiver.url, {"key": key}), loopback)
        ended |= {finished.key: finished for finished in transport.poll(10)}
    arrived = Counter(request.json()["key"] for request in receiver.requests)
    assert arrived == dict.fromkeys(range(5000), 1)
    assert set(codes(ended).values()) == {"200"}
    assert receiver.connections <= 50


def test_each_answer_goes_to_its_own_key(transport, loopback):
    with Receiver(lambda request: Answer(body=request.body)) as echo:
        for key in range(40):
            transport.submit(key, HttpRequest.post_json(echo.url, {"key": key}), loopback)
        ended = drain(transport)
    assert {key: response(end).json_object() for key, end in ended.items()} == {
        key: {"key": key} for key in range(40)
    }


def test_a_bad_request_fails_alone(transport, loopback, public, receiver):
    good = HttpRequest.post_json(receiver.url, {})
    transport.submit(1, good, loopback)
    transport.submit(2, HttpRequest.post_json(receiver.url, {}, {"A": "b\r\nC: d"}), loopback)
    transport.submit(3, HttpRequest.post_json("ftp://a.example/", {}), loopback)
    transport.submit(4, HttpRequest.post_json("http://a\udcff.example/", {}), loopback)
    transport.submit(5, good, public)
    transport.submit(6, HttpRequest("HEAD", receiver.url, body=b"x"), loopback)
    transport.submit(7, good, loopback)
    transport.submit(8, HttpRequest("POST", receiver.url, {"A": 1}), loopback)  # type: ignore[dict-item]
    assert transport.in_flight == 8
    assert codes(drain(transport)) == {
        1: "200",
        2: "bad_request",
        3: "bad_url",
        4: "bad_url",
        5: "refused_address",
        6: "bad_request",
        7: "200",
        8: "bad_request",
    }


def test_the_window_is_a_limit(loopback, receiver):
    with BulkTransport(2) as transport:
        for key in range(2):
            transport.submit(key, HttpRequest("GET", receiver.url), loopback)
        with pytest.raises(RuntimeError):
            transport.submit(2, HttpRequest("GET", receiver.url), loopback)
        assert set(drain(transport)) == {0, 1}
        transport.submit(2, HttpRequest("GET", receiver.url), loopback)
        assert set(drain(transport)) == {2}


def test_over_a_kept_connection_a_request_leaves_without_being_polled(
    transport, loopback, receiver
):
    transport.submit(1, HttpRequest("GET", receiver.url), loopback)
    drain(transport)
    transport.submit(2, HttpRequest("GET", receiver.url), loopback)
    transport.start()
    receiver.wait_for(2)
    assert set(drain(transport)) == {2}


def test_a_failed_submission_counts_until_it_is_polled(transport, public):
    transport.submit(1, HttpRequest("GET", "nonsense"), public)
    assert transport.in_flight == 1
    assert codes({end.key: end for end in transport.poll(0)}) == {1: "bad_url"}
    assert transport.in_flight == 0


def test_nothing_in_flight_returns_at_once(transport):
    assert transport.poll(60) == []


def test_the_fast_do_not_wait_for_the_slow(transport, loopback):
    answering = Receiver(lambda request: Answer(delay=3 if request.path == "/slow" else 0))
    with answering as receiver:
        transport.submit(1, HttpRequest("GET", receiver.url + "slow"), loopback)
        transport.submit(2, HttpRequest("GET", receiver.url + "fast"), loopback)
        assert [end.key for end in transport.poll(2)] == [2]
        assert transport.in_flight == 1


def test_start_and_length_are_told(transport, loopback):
    before = datetime.now(UTC)
    with Receiver(Answer(delay=0.1)) as receiver:
        transport.submit(1, HttpRequest("GET", receiver.url), loopback)
        after = datetime.now(UTC)
        (end,) = transport.poll(5)
    assert before <= end.started_at <= after
    assert end.elapsed == response(end).elapsed
    assert 0.1 <= end.elapsed < 5


def test_a_laxer_policy_s_connection_is_never_used_under_a_stricter_one(
    transport, loopback, public, receiver
):
    request = HttpRequest.post_json(receiver.url, {})
    for key, policy, code in [
        (1, loopback, "200"),
        (2, public, "refused_address"),
        (3, AddressPolicy.allowing("127.0.0.0/8"), "200"),
        (4, AddressPolicy(allowed_ports=frozenset({receiver.port})), "refused_address"),
    ]:
        transport.submit(key, request, policy)
        assert codes(drain(transport)) == {key: code}
    assert receiver.connections == 1  # kept between the two requests under one policy


def test_many_policies_leave_no_connection_behind(receiver, transport):
    for key in range(40):
        policy = AddressPolicy.allowing("127.0.0.1/32", f"10.0.{key}.0/24")
        transport.submit(key, HttpRequest("GET", receiver.url), policy)
        assert codes(drain(transport)) == {key: "200"}
    assert receiver.connections == 40


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("body", [b"", b"x"])
def test_a_request_on_a_kept_connection_that_dies_is_not_repeated_in_secret(
    method, body, transport, loopback
):
    dropping = Receiver(lambda request: Answer(drop=request.path == "/drop"))
    with dropping as receiver:
        transport.submit(1, HttpRequest.post_json(receiver.url, {}), loopback)
        assert codes(drain(transport)) == {1: "200"}
        transport.submit(2, HttpRequest(method, receiver.url + "drop", body=body), loopback)
        assert codes(drain(transport)) == {2: "closed"}
        assert [request.path for request in receiver.requests] == ["/", "/drop"]


def test_handles_serve_changing_methods(transport, loopback, receiver):
    plan = [("POST", b"a"), ("GET", b""), ("POST", b""), ("HEAD", b""), ("PUT", b"b")] * 3
    for key, (method, body) in enumerate(plan):
        transport.submit(key, HttpRequest(method, receiver.url, body=body), loopback)
        assert codes(drain(transport)) == {key: "200"}
    assert [(request.method, request.body) for request in receiver.requests] == plan


def test_a_handle_forgets_the_last_answer(transport, loopback):
    with Receiver(Answer(404, {"X-Old": "1"}, b"long" * 50_000), Answer(body=b"")) as receiver:
        transport.submit(1, HttpRequest("GET", receiver.url), loopback)
        assert response(drain(transport)[1]).truncated
        transport.submit(2, HttpRequest("GET", receiver.url), loopback)
        second = response(drain(transport)[2])
    assert (second.status, second.body, second.truncated) == (200, b"", False)
    assert "x-old" not in second.headers


def test_all_requests_to_an_unknown_name_fail_and_others_pass(transport, loopback, receiver):
    for key in range(10):
        url = f"http://{UNKNOWN_HOST}/" if key % 2 else receiver.url
        transport.submit(key, HttpRequest("GET", url), loopback)
    assert codes(drain(transport)) == {key: "dns" if key % 2 else "200" for key in range(10)}


def test_requests_held_for_a_lookup_leave_once_it_has_ended(transport, loopback, receiver):
    for key in range(20):
        url = f"http://localhost:{receiver.port}/{key}"
        transport.submit(key, HttpRequest("GET", url), loopback)
    assert set(codes(drain(transport)).values()) == {"200"}
    assert len(receiver.requests) == 20


def test_closing_drops_what_is_in_flight(loopback):
    with Receiver(Answer(delay=60)) as receiver:
        with BulkTransport(5) as transport:
            for key in range(5):
                transport.submit(key, HttpRequest("GET", receiver.url), loopback)
            transport.poll(0)
        assert transport.in_flight == 0
