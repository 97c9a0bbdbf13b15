"""Which sockets are ready."""

import select
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from channels_app.http.lane import Lane


class Sockets:
    """The sockets of all lanes, watched together.

    By poll(2): libcurl has its sockets watched and let go for each request, which here is a note
    in a list. With epoll it is two calls of the system, and what it spares, looking through the
    list, is little for a window of some hundred sockets. libcurl's own wait would see no
    descriptor above 1023.
    """

    def __init__(self) -> None:
        self._poll = select.poll()
        self._lanes: dict[int, Lane] = {}

    def watch(self, descriptor: int, events: int, lane: "Lane") -> None:
        """``events`` as poll(2) has them; those of a known socket are replaced."""
        self._poll.register(descriptor, events)
        self._lanes[descriptor] = lane

    def let_go(self, descriptor: int, lane: "Lane") -> None:
        """Watch it no more; a number that has become another lane's stays that one's."""
        if self._lanes.get(descriptor) is lane:
            del self._lanes[descriptor]
            self._poll.unregister(descriptor)

    def act(self, seconds: float) -> None:
        """Wait so long for any of them, and let the lanes of those that are ready act."""
        for descriptor, events in self._poll.poll(ceil(seconds * 1000)):
            lane = self._lanes.get(descriptor)
            if lane is None:  # let go by what another one did just now
                continue
            # Closed without a word, and perhaps somebody else's by now: it would be ready for ever.
            if events & select.POLLNVAL or not len(lane):
                self.let_go(descriptor, lane)
            lane.act(descriptor, events)

    def close(self, lane: "Lane") -> None:
        """Let go of all that this lane has."""
        for descriptor in [number for number, owner in self._lanes.items() if owner is lane]:
            self.let_go(descriptor, lane)
