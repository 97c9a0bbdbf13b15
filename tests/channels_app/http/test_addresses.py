"""Where a request may not go, however its URL spells the place. Both ways out."""

import socket

import pytest

from channels_app.http import AddressPolicy, HttpRequest, TransportError, fetch
from tests.channels_app.http.conftest import UNKNOWN_HOST
from tests.support.receiver import Answer, Receiver

SPELLINGS_OF_LOOPBACK = [
    *("127.0.0.1", "127.0.0.1.", "127.1", "2130706433", "017700000001", "0177.0.0.1", "0x7f.1"),
    *("0x7f000001", "0x7F.0.0.0x1", "%31%32%37.0.0.1", "0", "0.0.0.0", "localhost", "LOCALHOST"),  # noqa: S104
    *("[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::127.0.0.1]"),
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:0001]"),
]
OTHER_PLACES = [
    *("10.0.0.1", "100.64.0.1", "100.100.100.200", "169.254.169.254", "172.16.0.1", "192.168.0.1"),
    *("192.0.0.192", "192.0.2.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "240.0.0.1"),
    *("255.255.255.255", "168.63.129.16", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]"),
    *("[2002:7f00:1::]", "[2001::1]", "[2001:10::1]", "[2001:20::1]", "[2001:db8::1]"),
    *("[fe80::1]", "[fec0::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[100::1]"),
]


@pytest.mark.parametrize("host", SPELLINGS_OF_LOOPBACK)
def test_loopback_is_refused_in_every_spelling(host, send, public, receiver):
    with pytest.raises(TransportError) as refused:
        send(HttpRequest.post_json(f"http://{host}:{receiver.port}/", {}), public)
    assert refused.value.code == "refused_address"
    assert receiver.connections == 0


@pytest.mark.parametrize("host", OTHER_PLACES)
def test_special_places_are_refused_before_a_packet_leaves(host, send, public):
    with pytest.raises(TransportError) as refused:
        send(HttpRequest("GET", f"http://{host}/"), public)
    assert refused.value.code == "refused_address"


def test_a_refusal_names_no_address(send, public, receiver):
    with pytest.raises(TransportError) as refused:
        send(HttpRequest("GET", f"http://localhost:{receiver.port}/"), public)
    assert "127" not in str(refused.value)
    assert "::1" not in str(refused.value)


def test_a_permitted_network_is_reached(send, loopback, receiver):
    assert send(HttpRequest.post_json(receiver.url, {"a": 1}), loopback).status == 200
    assert [request.json() for request in receiver.requests] == [{"a": 1}]


def test_the_port_is_judged_for_literal_and_name(send, loopback):
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(TransportError) as refused:
            send(HttpRequest("GET", f"http://{host}:6379/"), loopback)
        assert refused.value.code == "bad_url"


def test_a_name_with_a_good_and_a_bad_address_reaches_the_good_one_only(monkeypatch, send):
    """libcurl knows both addresses of localhost by itself; requests asks the system."""
    _resolve(monkeypatch, "localhost", "::1", "127.0.0.1")
    with Receiver() as receiver:
        url = f"http://localhost:{receiver.port}/"
        assert send(HttpRequest("GET", url), AddressPolicy.allowing("127.0.0.0/8")).status == 200
        with pytest.raises(TransportError) as refused:
            send(HttpRequest("GET", url), AddressPolicy.allowing("::1/128"))
        assert refused.value.code == "connect"
        assert receiver.connections == 1


def test_a_name_that_turns_to_the_inside_is_refused_then(monkeypatch, loopback, receiver):
    url = f"http://turning.example:{receiver.port}/"
    _resolve(monkeypatch, "turning.example", "127.0.0.1")
    assert fetch(HttpRequest("GET", url), loopback).status == 200
    _resolve(monkeypatch, "turning.example", "10.0.0.1", "169.254.169.254")
    with pytest.raises(TransportError) as refused:
        fetch(HttpRequest("GET", url), loopback)
    assert refused.value.code == "refused_address"


def test_an_unknown_name_is_named_as_such(send, public):
    with pytest.raises(TransportError) as unknown:
        send(HttpRequest("GET", f"http://{UNKNOWN_HOST}/"), public)
    assert unknown.value.code == "dns"


def test_a_closed_port_is_named_as_such(send, loopback):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}/"
        with pytest.raises(TransportError) as closed:
            send(HttpRequest("GET", url), loopback)
    assert closed.value.code == "connect"


def test_no_proxy_is_taken_from_the_environment(monkeypatch, send, loopback, receiver):
    with Receiver() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        send(HttpRequest("GET", receiver.url), loopback)
        assert proxy.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer(status, send, loopback, receiver):
    with Receiver(Answer(status, {"Location": receiver.url})) as redirecting:
        response = send(HttpRequest.post_json(redirecting.url, {}), loopback)
    assert response.status == status
    assert response.headers["location"] == receiver.url
    assert receiver.connections == 0


def _resolve(monkeypatch: pytest.MonkeyPatch, name: str, *addresses: str) -> None:
    """Let the system's resolver know ``name`` by these addresses."""
    system = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **kwargs):
        hosts = addresses if host == name else [host]
        return [place for known in hosts for place in system(known, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
