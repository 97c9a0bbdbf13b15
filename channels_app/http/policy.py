"""Which addresses a request may reach."""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple, Self

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from channels_app.http.errors import ErrorCode, TransportError

MAX_URL = 2048
"""Characters, also once what is not ASCII is escaped."""

_TOO_LONG = f"The URL is longer than {MAX_URL} characters."

# The IANA special-purpose registries, whole: also the entries that are reachable from
# everywhere, since none of them is anyone's web server. ipaddress's own is_global and
# is_private are no substitute: they differ between Python releases, and in 3.11 take
# translated forms of loopback (64:ff9b::/96, 2002::/16) and multicast for global.
_SPECIAL_IPV4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared behind carrier-grade NAT; some clouds' metadata
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local; most clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "168.63.129.16/32",  # not special by registry: Azure's platform, inside every machine
    )
)
_GLOBAL_IPV6 = IPv6Network("2000::/3")
"""Everything else is loopback, local, mapped, translated, multicast or unassigned."""

_SPECIAL_IPV6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarking, AMT
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which carries any IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3ffe::/16",  # 6bone, given back
        "3fff::/20",  # documentation
    )
)

_LOWEST_OPEN_PORT = 1024
# Services that would take the lines of an HTTP request for commands: the Fetch standard's
# bad ports above 1023, and data stores.
_REFUSED_PORTS = frozenset(
    {1719, 1720, 1723, 2049, 3306, 3659, 4045, 4190, 5060, 5061, 5432, 6000, 6379, 6566}
    | {6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080, 11211, 27017}
)


class Target(NamedTuple):
    """Where a URL points. ``url`` is ASCII and without its fragment."""

    url: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What an operator permits beyond the public Internet.

    ``allowed_ports`` None means 80, 443 and 1024 to 65535 without the ports of services that
    an HTTP request could talk into something. Forms that carry an IPv4 address inside an IPv6
    one are refused whatever they carry; an operator can only list their IPv6 network.
    """

    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    allowed_ports: frozenset[int] | None = None

    @classmethod
    def allowing(cls, *networks: str) -> Self:
        """Read networks as an operator writes them (``10.1.0.0/16``); ValueError if malformed."""
        return cls(tuple(ip_network(network) for network in networks))

    def permits(self, ip: str, port: int) -> bool:
        """Judge the address that a socket is about to connect to."""
        if not self.permits_port(port):
            return False
        try:
            address = ip_address(ip)
        except ValueError:
            return False
        if any(address in network for network in self.allowed_networks):
            return True
        if address.version == 4:
            return not any(address in network for network in _SPECIAL_IPV4)
        return address in _GLOBAL_IPV6 and not any(address in net for net in _SPECIAL_IPV6)

    def permits_port(self, port: int) -> bool:
        if self.allowed_ports is not None:
            return port in self.allowed_ports
        return port in {80, 443} or (port >= _LOWEST_OPEN_PORT and port not in _REFUSED_PORTS)

    def target(self, url: str) -> Target:
        """Read ``url``; TransportError when it cannot be used.

        Says nothing about the address: only an opening socket knows that one.
        """
        target = _read(url)
        if not self.permits_port(target.port):
            raise TransportError(ErrorCode.BAD_URL, f"Port {target.port} is not permitted.")
        return target

    def check_url(self, url: str) -> str:
        """Return ``url`` as it goes on the wire; TransportError when it cannot be used."""
        return self.target(url).url


@lru_cache(maxsize=4096)
def _read(url: str) -> Target:
    if len(url) > MAX_URL:
        raise TransportError(ErrorCode.BAD_URL, _TOO_LONG)
    # URL parsers disagree about the backslash, so that one sees another host than the next.
    if "\\" in url or not url.isprintable() or " " in url:
        raise TransportError(ErrorCode.BAD_URL, "The URL holds a character that is not allowed.")
    try:
        parts = parse_url(url)
    except (LocationParseError, ValueError):
        raise TransportError(ErrorCode.BAD_URL) from None
    if parts.scheme not in {"http", "https"}:
        raise TransportError(ErrorCode.BAD_URL, "Only http and https URLs can be called.")
    if parts.auth is not None:
        raise TransportError(ErrorCode.BAD_URL, "The URL must not hold a user name or password.")
    if not parts.host or "%" in parts.host:
        raise TransportError(ErrorCode.BAD_URL, "The URL names no host that can be called.")
    normal = parts._replace(fragment=None).url
    if len(normal) > MAX_URL:
        raise TransportError(ErrorCode.BAD_URL, _TOO_LONG)
    port = parts.port if parts.port is not None else {"http": 80, "https": 443}[parts.scheme]
    return Target(normal, parts.host, port)
