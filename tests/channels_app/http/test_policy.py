from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis.strategies import integers, ip_addresses

from channels_app.http import AddressPolicy, ErrorCode, TransportError

SPECIAL = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1"),  # noqa: S104
    *("127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8"),
    *("192.0.0.192", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.1.1"),
    *("192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.9"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
    *("::", "::1", "::7f00:1", "::ffff:8.8.8.8", "::ffff:127.0.0.1", "::ffff:0:127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1", "100::1", "100:0:0:1::1"),
    *("2001::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:30::1", "2001:db8::1"),
    *("2002:7f00:1::", "2002:808:808::1", "2620:4f:8000::1", "3ffe::1", "3fff::1", "4000::1"),
    *("5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1"),
]


@pytest.mark.parametrize("address", SPECIAL)
def test_a_special_purpose_address_is_refused(address, public):
    assert not public.permits(address, 443)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700::1"]
)
def test_a_public_address_is_permitted(address, public):
    assert public.permits(address, 443)


@given(ip_addresses(v=4))
def test_no_ipv6_form_carries_an_ipv4_address_out(inner):
    number = int(inner)
    forms = [
        IPv6Address(number),
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0x64FF9B << 96 | number),
        IPv6Address(0x64FF9B0001 << 80 | number),
        IPv6Address(0x2002 << 112 | number << 80),
        IPv6Address(0x20010000 << 96 | number ^ 0xFFFFFFFF),
    ]
    policy = AddressPolicy.allowing("0.0.0.0/0")
    assert policy.permits(str(inner), 443)
    assert [form for form in forms if policy.permits(str(form), 443)] == []


@given(integers(min_value=0, max_value=2**32 - 1).map(IPv4Address))
def test_nothing_that_python_calls_private_is_permitted(address):
    if address.is_private or address.is_multicast or address.is_reserved:
        assert not AddressPolicy().permits(str(address), 443)


@pytest.mark.parametrize("text", ["", "example.com", "127.1", "2130706433", "300.1.1.1", "::g"])
def test_what_is_not_an_address_is_refused(text, public):
    assert not public.permits(text, 443)


def test_an_operator_permits_a_network_and_nothing_beside_it():
    policy = AddressPolicy.allowing("10.1.0.0/16", "::1/128")
    assert policy.permits("10.1.2.3", 443)
    assert policy.permits("::1", 443)
    assert policy.permits("8.8.8.8", 443)
    assert not policy.permits("10.2.0.1", 443)
    assert not policy.permits("::2", 443)
    assert not policy.permits("::ffff:10.1.2.3", 443)


def test_a_network_that_is_none_is_an_error():
    with pytest.raises(ValueError):
        AddressPolicy.allowing("10.0.0.1/8")


def test_policies_with_the_same_rules_are_one():
    same = AddressPolicy(allowed_networks=(ip_network("127.0.0.0/8"),))
    assert {AddressPolicy.allowing("127.0.0.0/8"), same} == {same}
    assert same != AddressPolicy()


@pytest.mark.parametrize("port", [80, 443, 1024, 8000, 8443, 65535])
def test_web_ports_are_permitted(port, public):
    assert public.permits("8.8.8.8", port)
    assert public.check_url(f"http://example.com:{port}/")


@pytest.mark.parametrize("port", [0, 22, 25, 53, 111, 445, 993, 3306, 5432, 6379, 6667, 11211])
def test_ports_of_other_services_are_refused(port, public):
    assert not public.permits("8.8.8.8", port)
    with pytest.raises(TransportError) as refused:
        public.check_url(f"http://example.com:{port}/")
    assert refused.value.code == ErrorCode.BAD_URL


def test_named_ports_replace_the_usual_ones():
    policy = AddressPolicy(allowed_ports=frozenset({25}))
    assert policy.permits("8.8.8.8", 25)
    assert not policy.permits("8.8.8.8", 443)
    with pytest.raises(TransportError):
        policy.check_url("https://example.com/")


@pytest.mark.parametrize(
    ("url", "wire"),
    [
        ("https://example.com", "https://example.com"),
        ("HTTP://Example.COM:8080/Path?q=1", "http://example.com:8080/Path?q=1"),
        ("https://example.com/a#part", "https://example.com/a"),
        ("https://bücher.example/ü?q=ß", "https://xn--bcher-kva.example/%C3%BC?q=%C3%9F"),
        ("http://[2606:4700::1]/", "http://[2606:4700::1]/"),
    ],
)
def test_a_url_is_put_on_the_wire_as_ascii(url, wire, public):
    assert public.check_url(url) == wire


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.com", "//example.com/", "http:", "http:///path", "http://:80/", "http://"),
        *("ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "dict://a:80/"),
        *("http://user@example.com/", "http://user:word@example.com/", "http://:word@a.example/"),
        *("http://good.example\\@127.0.0.1/", "http://good.example:80@127.0.0.1/"),
        *(
            "http://a.example/ b",
            " http://a.example/",
            "http://a.example/\r\nX: y",
            "http://a\x00b/",
        ),
        *("http://a.example/\x7f", "http://a.example/\u2028", "http://a.example/\ud800"),
        *(
            "http://a.example:70000/",
            "http://a.example:x/",
            "http://[::1",
            "http://[fe80::1%25eth0]/",
        ),
        *("http://a%00.example/", "http://a%2f.example/", "http://a.example/" + "x" * 2048),
        "http://a.example/" + "ü" * 1000,
    ],
)
def test_a_url_that_cannot_be_used_is_named_as_such(url, public):
    with pytest.raises(TransportError) as refused:
        public.check_url(url)
    assert refused.value.code == "bad_url"
    assert refused.value.permanent
