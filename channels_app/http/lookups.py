"""One name lookup per host at a time."""

from functools import partial
from math import inf
from time import monotonic

from channels_app.http.slot import Slot

KNOWN_FOR = 60.0
"""Seconds; as long as libcurl remembers a lookup, and longer than it keeps a connection idle."""

_MOST_KNOWN = 10_000


class Lookups:
    """Sends one request ahead to a host that is not known, and holds the others back.

    libcurl looks names up in 20 threads, two for each request. Ten requests to a name whose
    servers are silent would take all of them, and with them every other new connection.
    """

    def __init__(self) -> None:
        self._known: dict[str, float] = {}
        self._held: dict[str, list[Slot]] = {}
        self._resolved: list[str] = []

    def admit(self, slot: Slot) -> bool:
        """Tell whether the request may leave now; if not, it comes back from a later call."""
        host = slot.host
        if host in self._held:
            self._held[host].append(slot)
            return False
        if self._known.get(host, -inf) < monotonic() - KNOWN_FOR:
            self._held[host] = []
            slot.resolved = partial(self._resolved.append, host)
        return True

    def released(self) -> list[Slot]:
        """Return the requests whose hosts have been resolved since the last call."""
        released: list[Slot] = []
        while self._resolved:
            host = self._resolved.pop()
            self._remember(host)
            released += self._held.pop(host, ())
        return released

    def ended(self, slot: Slot, *, answered: bool) -> list[Slot]:
        """Note a request's end; return those still held for it, its lookup having no result."""
        if answered:
            self._remember(slot.host)
        if slot.resolved is None:
            return []
        slot.resolved = None
        return self._held.pop(slot.host, [])

    def _remember(self, host: str) -> None:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[host] = monotonic()
