"""`manage.py receiver` as a process of its own, and what one asks of it."""

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import requests

from tests.support.installation import Running

SECONDS = 60  # that an answer may take on a busy machine


class Started:
    """A receiver that listens: `place.start("receiver", "--port", "0")`."""

    def __init__(self, running: Running) -> None:
        self.running = running
        running.wait_until_it_says("Ctrl-C ends.")
        self.url = running.said.split()[2].rstrip("/")

    def post(self, path: str, body: bytes | str | Iterator[bytes] = b"{}", **more):
        timeout = more.pop("timeout", SECONDS)
        url = self.url + path
        return requests.post(url, data=body, timeout=timeout, allow_redirects=False, **more)

    def statuses(self, path: str, count: int) -> list[int]:
        with requests.Session() as session:
            url = self.url + path
            return [session.post(url, b"{}", timeout=SECONDS).status_code for _ in range(count)]

    def received(self):
        return requests.get(f"{self.url}/received", timeout=SECONDS).json()

    def forget(self) -> None:
        assert requests.delete(f"{self.url}/received", timeout=SECONDS).status_code == 204

    def connect(self) -> socket.socket:
        address = urlsplit(self.url)
        return socket.create_connection((address.hostname, address.port), timeout=SECONDS)

    def memory(self) -> int:
        """The most memory that it ever held, in bytes."""
        status = Path(f"/proc/{self.running.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
