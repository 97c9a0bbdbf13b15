"""Prints what comes, in a thread: a terminal that stands still holds up no answer."""

import json
import queue
import threading
from dataclasses import replace
from typing import TextIO

from project.receiver.requests import Received

_WAITING = 2000  # requests that may wait to be printed; later ones are counted only
_LONGEST_BODY = 64 * 1024  # bytes; a longer one is not printed
_LONGEST = 20_000  # characters of a body that are printed
_GRACE = 0.5  # seconds to print the rest at the end


class Console:
    """Prints requests in the order in which they are given."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._waiting: queue.Queue[tuple[Received, str] | str | None] = queue.Queue()
        self._left_out = 0
        self._gone = False
        self._thread = threading.Thread(target=self._print_all, daemon=True)
        self._thread.start()

    def request(self, request: Received, answer: str) -> None:
        if self._waiting.qsize() >= _WAITING:
            self._left_out += 1
            return
        self._say_what_was_left_out()
        if len(request.body) > _LONGEST_BODY:
            request = replace(request, body=b"")
        self._waiting.put((request, answer))

    def say(self, line: str) -> None:
        self._waiting.put(line)

    def end(self) -> bool:
        """Print what waits; False when the terminal takes nothing, or is gone."""
        self._say_what_was_left_out()
        self._waiting.put(None)
        self._thread.join(_GRACE)
        return not self._thread.is_alive() and not self._gone

    def _say_what_was_left_out(self) -> None:
        if self._left_out:
            self.say(f"({self._left_out:,} requests came faster than they could be printed.)")
            self._left_out = 0

    def _print_all(self) -> None:
        try:
            while (noted := self._waiting.get()) is not None:
                self._out.write((noted if isinstance(noted, str) else described(*noted)) + "\n")
                if self._waiting.empty():
                    self._out.flush()
        except (OSError, ValueError):  # nobody reads it any more: go on without
            self._gone = True
            while self._waiting.get() is not None:
                pass


def described(request: Received, answer: str) -> str:
    """A line on the request, and its body, indented where it is JSON."""
    words = [
        request.at.astimezone().strftime("%H:%M:%S.%f")[:-3],
        request.method,
        request.path[:500],
        f"{request.size:,} B",
        request.headers.get("webhook-id", "-")[:200],
        "→",
        answer,
    ]
    line = _printable(" ".join(words))
    body = _body(request)
    return f"{line}\n{body}" if body else line


def _body(request: Received) -> str:
    if not request.size:
        return ""
    if request.size > len(request.body):
        return "    (too long to be printed)"
    try:
        text = json.dumps(json.loads(request.body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return "    (no JSON)"
    lines = [f"    {_printable(line)}" for line in text[:_LONGEST].split("\n")]
    if len(text) > _LONGEST:
        lines.append("    …")
    return "\n".join(lines)


def _printable(text: str) -> str:
    """What came from outside steers no terminal."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
