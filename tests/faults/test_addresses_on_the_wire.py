"""Hostile places, spelled and resolved in odd ways: refused for single and for bulk calls alike.

The plain spellings are in tests/channels_app/http/test_addresses.py.
"""

import socket
from collections.abc import Callable

import pycurl
import pytest

from channels_app.http import AddressPolicy, BulkTransport, HttpRequest, TransportError
from channels_app.http.slot import Slot
from tests.channels_app.http.conftest import Send, loopback, public, receiver, send
from tests.support.receiver import Answer, Receiver

__all__ = ["loopback", "public", "receiver", "send"]  # fixtures

Resolve = Callable[..., None]

# Some are names to a resolver, which may take its time to find that nobody has them.
REFUSED = {"refused_address", "bad_url", "dns", "timeout"}
# With {} for the receiver's port.
ODD_SPELLINGS = [
    *("127.000.000.001", "0177.1", "0x7f.0.0.1", "0x7f.0x0.0x0.0x1", "0177.0.1", "127.0.1"),
    *("00000177.0.0.1", "0x000000007f000001", "017700000001.", "127.1.", "2130706433."),
    *("4294967296", "18446744071562067969", "127.0.0.256", "127.0.0.1.0", "-1", "1e3"),
    *(
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "\uff11\uff12\uff17.0.0.1",
        "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
        "loc\u00adalhost",
        "localhost.",
    ),
    *("[::ffff:0:127.0.0.1]", "[::ffff:127.1]", "[0::1]", "[::0001]", "[::1.]", "[::1%25lo]"),
    *("[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::1]", "[::ffff:0:0]"),
    *("[v1.127.0.0.1]", "[127.0.0.1]", "::1", "%6c%6f%63alhost", "127.0.0.1%2f", "127.0.0.1%00"),
]
ODD_URLS = [
    *("http://@127.0.0.1:{}/", "http://a.example@127.0.0.1:{}/", "http://127.0.0.1:{}@a.example/"),
    *("http:\\\\127.0.0.1:{}/", "http:///127.0.0.1:{}/", "http:127.0.0.1:{}/", "//127.0.0.1:{}/"),
    *("http://127.0.0.1\t:{}/", "http://127.0.0.1 :{}/", "http://a.example\r\n@127.0.0.1:{}/"),
    *(
        "gopher://127.0.0.1:{}/",
        "dict://127.0.0.1:{}/",
        "file://127.0.0.1:{}/",
        "ftp://127.0.0.1:{}/",
    ),
    *(
        "http://127.0.0.1:+{}/",
        "http://127.0.0.1:0{}/",
        "http://127.0.0.1:{}",
        "HTTP://127.0.0.1:{}?",
    ),
]
INSIDE_IN_IPV6 = [
    *("[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[::169.254.169.254]", "[::10.0.0.1]"),
    *("[64:ff9b::169.254.169.254]", "[64:ff9b:1::a00:1]", "[64:ff9b::a00:1]", "[64:ff9b::6440:1]"),
    *("[2002:a9fe:a9fe::]", "[2002:a00:1::1]", "[2002:c0a8:1::1]", "[2002:6440:1::]"),
    *("[fec0::a00:1]", "[fe80::a9fe:a9fe]", "[ff0e::1]", "[ff05::2]", "[2001:db8::8]", "[3fff::1]"),
    *("[2001:0:7f00:1::]", "[fd00:ec2::254]", "[::]", "[5f00::1]", "[100:0:0:1::1]"),
]
# Of 169.254.169.254 and 10.0.0.1.
NUMBERS = ["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.16689662", "0xa.1", "012.0.0.1"]
REFUSED_PORTS = [0, 1, 7, 21, 22, 23, 25, 53, 79, 110, 111, 143, 389, 445, 873, 993, 2049, 3306]
REFUSED_PORTS += [5060, 5432, 6000, 6379, 6667, 10080, 11211, 27017]


def refusal(send: Send, url: str, policy: AddressPolicy) -> TransportError:
    with pytest.raises(TransportError) as refused:
        send(HttpRequest("GET", url, timeout=5), policy)
    return refused.value


@pytest.mark.parametrize("host", ODD_SPELLINGS)
def test_an_odd_spelling_of_this_machine_reaches_nothing(host, send, public, receiver):
    error = refusal(send, f"http://{host}:{receiver.port}/", public)
    assert error.code in REFUSED
    assert "127" not in str(error)
    assert receiver.connections == 0


@pytest.mark.parametrize("url", ODD_URLS)
def test_an_odd_url_reaches_nothing(url, send, public, receiver):
    error = refusal(send, url.format(receiver.port), public)
    assert error.code in REFUSED
    assert "127" not in str(error)
    assert receiver.connections == 0


@pytest.mark.parametrize("host", INSIDE_IN_IPV6 + NUMBERS)
def test_an_inner_address_in_another_form_is_refused(host, send, public):
    assert refusal(send, f"http://{host}/", public).code == "refused_address"


@pytest.mark.parametrize("host", INSIDE_IN_IPV6)
def test_an_allowed_ipv4_network_allows_no_ipv6_form_of_it(host, send):
    everything = AddressPolicy.allowing("0.0.0.0/0")
    assert refusal(send, f"http://{host}/", everything).code == "refused_address"


@pytest.mark.parametrize("port", REFUSED_PORTS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_port_of_another_service_is_refused(scheme, port, send, loopback):
    error = refusal(send, f"{scheme}://127.0.0.1:{port}/", loopback)
    assert (error.code, str(error)) == ("bad_url", f"Port {port} is not permitted.")


@pytest.mark.parametrize(
    "place",
    [
        *(
            "http://169.254.169.254/latest/",
            "http://10.0.0.1/",
            "http://[::1]:{}/",
            "//localhost:{}/",
        ),
        *("http://127.0.0.1:{}/", "/elsewhere", "gopher://127.0.0.1:{}/", "file:///etc/passwd"),
    ],
)
@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_to_the_inside_is_an_answer_that_nobody_follows(status, place, send, loopback):
    with Receiver() as inner:
        answer = Answer(status, {"Location": place.format(inner.port), "Refresh": "0; url=/x"})
        with Receiver(answer) as outer:
            request = HttpRequest.post_json(outer.url, {})
            assert send(request, loopback).status == status
            assert len(outer.requests) == 1
        assert inner.connections == 0


# --- names --------------------------------------------------------------------------------------


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Let both ways out know a name by these addresses: ``resolve("a.example", "10.0.0.1")``.

    The system's resolver answers requests, and libcurl's own cache of names is filled; from there
    on, each goes its usual way to a socket.
    """
    known: dict[str, tuple[str, ...]] = {}
    system, prepare = socket.getaddrinfo, Slot._prepare

    def getaddrinfo(host, port, *args, **kwargs):
        places = known.get(host, (host,))
        return [found for place in places for found in system(place, port, *args, **kwargs)]

    def prepared(slot: Slot, request: HttpRequest) -> None:
        prepare(slot, request)
        port = slot._policy.target(request.url).port
        lines = [f"{name}:{port}:{','.join(places)}" for name, places in known.items()]
        slot.curl.setopt(pycurl.RESOLVE, lines)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(Slot, "_prepare", prepared)

    def now(name: str, *places: str) -> None:
        known[name] = places

    return now


INNER = ["10.0.0.1", "169.254.169.254", "100.64.0.1", "127.0.0.2", "::1", "fd00:ec2::254"]


@pytest.mark.parametrize("inner", INNER)
def test_a_name_of_an_inner_address_is_refused(inner, send, public, resolve):
    resolve("outside.example", inner)
    error = refusal(send, "http://outside.example/", public)
    assert error.code == "refused_address"
    assert inner not in str(error)


@pytest.mark.parametrize("bad", ["127.0.0.2", "::1", "10.0.0.1"])
@pytest.mark.parametrize("first", ["good", "bad"])
def test_of_a_name_with_both_kinds_of_address_only_the_good_one_is_reached(
    bad, first, send, resolve
):
    with Receiver() as good:
        places = ["127.0.0.1", bad] if first == "good" else [bad, "127.0.0.1"]
        resolve("both.example", *places)
        url = f"http://both.example:{good.port}/"
        assert send(HttpRequest("GET", url), AddressPolicy.allowing("127.0.0.1/32")).status == 200
        assert len(good.requests) == 1


def test_of_a_name_with_both_the_bad_one_is_not_reached_where_the_good_one_is_closed(send, resolve):
    with Receiver(host="127.0.0.2") as bad:
        resolve("both.example", "127.0.0.1", "127.0.0.2")  # nobody listens on the first
        url = f"http://both.example:{bad.port}/"
        assert refusal(send, url, AddressPolicy.allowing("127.0.0.1/32")).code == "connect"
        assert bad.connections == 0


@pytest.mark.parametrize("inner", INNER)
def test_a_name_that_turns_to_the_inside_between_two_calls_is_refused_then(
    inner, send, resolve, receiver
):
    policy = AddressPolicy.allowing("127.0.0.1/32")
    url = f"http://turning.example:{receiver.port}/"
    resolve("turning.example", "127.0.0.1")
    assert send(HttpRequest("GET", url), policy).status == 200
    resolve("turning.example", inner)
    assert refusal(send, url, policy).code == "refused_address"
    assert len(receiver.requests) == 1


def test_a_name_that_turns_while_bulk_calls_are_made_is_refused_from_its_next_connection(resolve):
    """One window, as in a dispatch loop: it keeps names and connections between its calls."""
    policy = AddressPolicy.allowing("127.0.0.1/32")
    closing = Answer(headers={"Connection": "close"})
    with (
        Receiver(lambda request: closing) as good,
        Receiver(host="127.0.0.2") as bad,
        BulkTransport(4) as bulk,
    ):
        codes = []
        for place in ("127.0.0.1", "127.0.0.2", "10.0.0.1", "127.0.0.1"):
            port = bad.port if place == "127.0.0.2" else good.port
            resolve("turning.example", place)
            bulk.submit(1, HttpRequest("GET", f"http://turning.example:{port}/"), policy)
            (ended,) = bulk.poll(20)
            codes.append(str(ended.error.code) if ended.error else "answered")
        assert codes == ["answered", "refused_address", "refused_address", "answered"]
        assert bad.connections == 0
