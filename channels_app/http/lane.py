"""The connections of one address policy."""

import select
from contextlib import suppress
from math import inf
from time import monotonic

import pycurl

from channels_app.http.errors import TransportError
from channels_app.http.finished import Finished
from channels_app.http.lookups import Lookups
from channels_app.http.message import HttpRequest
from channels_app.http.policy import AddressPolicy
from channels_app.http.slot import Slot
from channels_app.http.sockets import Sockets

_WATCHED = {
    pycurl.POLL_IN: select.POLLIN,
    pycurl.POLL_OUT: select.POLLOUT,
    pycurl.POLL_INOUT: select.POLLIN | select.POLLOUT,
}


class Lane:
    """Requests under one policy, over connections that were opened under it.

    libcurl keeps connections per multi handle. One for each policy is what makes it impossible
    that a stricter request travels over a connection that a laxer one opened. The sockets of all
    are watched together.
    """

    def __init__(self, policy: AddressPolicy, sockets: Sockets, *, connections: int) -> None:
        self.due = inf
        """When libcurl wants to be called without an event, in monotonic seconds."""
        self._policy = policy
        self._sockets = sockets
        self._lookups = Lookups()
        self._idle: list[Slot] = []
        self._busy: dict[pycurl.Curl, Slot] = {}
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, connections)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._plan)

    def __len__(self) -> int:
        return len(self._busy)

    def submit(self, key: int, request: HttpRequest) -> Finished | None:
        """Start a request; return its end at once when it cannot be sent at all."""
        slot = self._idle.pop() if self._idle else Slot(self._policy)
        try:
            slot.load(key, request)
        except TransportError as error:
            self._idle.append(slot)
            return slot.ended(error)
        self._busy[slot.curl] = slot
        if self._lookups.admit(slot):
            self._multi.add_handle(slot.curl)
        return None

    def act(self, descriptor: int, events: int) -> None:
        """Let libcurl read from or write to a ready socket, or find out what broke it."""
        ready = pycurl.CSELECT_IN if events & ~select.POLLOUT else 0
        if events & ~select.POLLIN:
            ready |= pycurl.CSELECT_OUT
        self._multi.socket_action(descriptor, ready)

    def tick(self) -> None:
        """Let libcurl look at its clocks, when it is time."""
        if self.due <= monotonic():
            self.due = inf
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def harvest(self) -> list[Finished]:
        """Return what has ended, and let go what waited for it."""
        finished: list[Finished] = []
        more = 1
        while more:
            more, answered, failed = self._multi.info_read()
            for curl in answered:
                slot = self._leave(curl)
                finished.append(slot.answered())
                self._start(self._lookups.ended(slot, answered=True))
            for curl, number, _ in failed:
                slot = self._leave(curl)
                finished.append(end := slot.failed(number))
                for held in self._lookups.ended(slot, answered=False):
                    del self._busy[held.curl]
                    self._idle.append(held)
                    finished.append(held.ended(end.error))
        self._start(self._lookups.released())
        return finished

    def close(self) -> None:
        """Drop what is under way. Waits for lookups that hang, some ten seconds at worst."""
        for slot in self._busy.values():
            with suppress(pycurl.error):  # one that was held back is not the multi handle's
                self._multi.remove_handle(slot.curl)
        for slot in (*self._busy.values(), *self._idle):
            slot.close()
        self._busy.clear()
        self._idle.clear()
        self._multi.close()
        self._sockets.close(self)

    def _leave(self, curl: pycurl.Curl) -> Slot:
        self._multi.remove_handle(curl)
        slot = self._busy.pop(curl)
        self._idle.append(slot)
        return slot

    def _start(self, held: list[Slot]) -> None:
        for slot in held:
            slot.resume()
            self._multi.add_handle(slot.curl)

    def _plan(self, milliseconds: int) -> None:
        if milliseconds > 0:
            self.due = monotonic() + milliseconds / 1000
        else:
            self.due = 0.0 if milliseconds == 0 else inf

    def _watch(self, what: int, descriptor: int, _multi: object, _data: object) -> None:
        events = _WATCHED.get(what)
        if events is None:
            self._sockets.let_go(descriptor, self)
        else:
            self._sockets.watch(descriptor, events, self)
