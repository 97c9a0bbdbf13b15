"""Thousands of requests at a time: libcurl's multi interface behind the guarded exit."""

from time import monotonic
from types import TracebackType
from typing import Self

from channels_app.http.finished import Finished
from channels_app.http.lane import Lane
from channels_app.http.message import HttpRequest
from channels_app.http.policy import AddressPolicy
from channels_app.http.sockets import Sockets

_MOST_LANES = 16


class BulkTransport:
    """A window of requests in flight, for one thread of one process.

    Redirects are answers; proxies, cookies and netrc files are not used. The host's addresses
    are judged one by one when a socket is about to open, so that nothing lies between the
    judgement and the connection.
    """

    def __init__(self, window: int) -> None:
        """``window`` is the most requests that may be in flight."""
        self.window = window
        self._sockets = Sockets()
        self._lanes: dict[AddressPolicy, Lane] = {}
        self._ended: list[Finished] = []
        self._last: tuple[AddressPolicy, Lane] | None = None
        self.in_flight = 0
        """Requests submitted and not yet returned by poll()."""

    def submit(self, key: int, request: HttpRequest, policy: AddressPolicy) -> None:
        """Start a request. ``key`` is the caller's own name for it.

        What is wrong with the request is told by poll(). RuntimeError when the window is full.
        """
        if self.in_flight >= self.window:
            raise RuntimeError("The window is full.")
        ended = self._lane(policy).submit(key, request)
        self.in_flight += 1
        if ended is not None:
            self._ended.append(ended)

    def start(self) -> None:
        """Let what was submitted leave now, not with the next poll()."""
        for lane in self._lanes.values():
            lane.tick()

    def poll(self, timeout: float) -> list[Finished]:
        """Drive the transfers; return as soon as some have ended.

        Returns an empty list after ``timeout`` seconds, or at once when nothing is in flight.
        """
        deadline = monotonic() + timeout
        finished, self._ended = self._ended, []
        while True:
            wait = 0.0 if finished or not self.in_flight else self._until(deadline)
            self._sockets.act(wait)
            for lane in self._lanes.values():
                lane.tick()
                finished += lane.harvest()
            if finished or not self.in_flight or monotonic() >= deadline:
                self.in_flight -= len(finished)
                return finished

    def close(self) -> None:
        """Drop what is in flight: whether it arrived remains unknown."""
        for lane in self._lanes.values():
            lane.close()
        self._lanes.clear()
        self._last = None
        self.in_flight = len(self._ended)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _until(self, deadline: float) -> float:
        due = min((lane.due for lane in self._lanes.values()), default=deadline)
        return max(0.0, min(due, deadline) - monotonic())

    def _lane(self, policy: AddressPolicy) -> Lane:
        # Most come one after another under the same policy, and to look one up is to hash it.
        if self._last is not None and self._last[0] is policy:
            return self._last[1]
        lane = self._lanes.get(policy)
        if lane is None:
            if len(self._lanes) >= _MOST_LANES:
                self._close_idle_lanes()
            lane = Lane(policy, self._sockets, connections=self.window)
            self._lanes[policy] = lane
        self._last = policy, lane
        return lane

    def _close_idle_lanes(self) -> None:
        for policy, lane in list(self._lanes.items()):
            if not len(lane):
                lane.close()
                del self._lanes[policy]
        self._last = None
