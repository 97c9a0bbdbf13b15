"""Several hosts on one machine: network namespaces on a bridge, whose cables can be pulled.

Needs root and iproute2. Names carry the process's id, so what an earlier run left behind when it
was killed is known by that, and removed.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PREFIX = "carillon"


def ip(*arguments: str) -> str:
    done = subprocess.run(
        ["ip", *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"
    return done.stdout


class Host:
    """One namespace; ``within`` stands before a command that runs there."""

    def __init__(self, name: str, cable: str, address: str) -> None:
        self.name = name
        self.address = address
        self._cable = cable

    @property
    def within(self) -> list[str]:
        return ["ip", "netns", "exec", self.name]

    def cut_off(self) -> None:
        ip("link", "set", self._cable, "down")

    def rejoin(self) -> None:
        ip("link", "set", self._cable, "up")


class Network:
    """A bridge with this machine at ``address`` and hosts beside it."""

    def __init__(self) -> None:
        number = os.getpid()
        self._bridge = f"cb{number}"
        # Set apart for tests between networks (RFC 2544): nobody's own.
        self._subnet = f"198.18.{number % 256}"
        self._hosts: list[Host] = []

    @property
    def address(self) -> str:
        return f"{self._subnet}.1"

    @property
    def cidr(self) -> str:
        return f"{self._subnet}.0/24"

    def open(self) -> None:
        ip("link", "add", self._bridge, "type", "bridge")
        ip("address", "add", f"{self.address}/24", "dev", self._bridge)
        ip("link", "set", self._bridge, "up")

    def add(self) -> Host:
        number = len(self._hosts) + 1
        host = Host(
            f"{PREFIX}-{os.getpid()}-{number}",
            f"cv{os.getpid()}-{number}",
            f"{self._subnet}.{number + 1}",
        )
        ip("netns", "add", host.name)
        self._hosts.append(host)
        ip("link", "add", host._cable, "type", "veth", "peer", "name", "eth0", "netns", host.name)
        ip("link", "set", host._cable, "master", self._bridge, "up")
        ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", "eth0")
        ip("-n", host.name, "link", "set", "eth0", "up")
        ip("-n", host.name, "link", "set", "lo", "up")
        return host

    def close(self) -> None:
        for host in self._hosts:
            ip("netns", "delete", host.name)
        ip("link", "delete", self._bridge)


@contextmanager
def network() -> Iterator[Network]:
    if os.getuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    _remove_leftovers()
    made = Network()
    try:
        made.open()
        yield made
    finally:
        made.close()


def _remove_leftovers() -> None:
    for line in ip("netns", "list").splitlines():
        name = line.split()[0]
        if name.startswith(f"{PREFIX}-") and not _lives(name.split("-")[1]):
            ip("netns", "delete", name)
    for line in ip("-o", "link", "show", "type", "bridge").splitlines():
        name = line.split()[1].rstrip(":")
        if name.startswith("cb") and name[2:].isdigit() and not _lives(name[2:]):
            ip("link", "delete", name)


def _lives(pid: str) -> bool:
    return Path("/proc", pid).exists()
