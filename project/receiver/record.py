"""What came: the last requests and totals, as `GET /received` shows them."""

import base64
import json
from collections import Counter, deque
from typing import Any

from project.receiver.requests import Received

KEEPS = 1000  # requests
KEEPS_NAMES = 1000  # answers, and paths, that are counted by themselves
KEEPS_BYTES = 16 * 1024 * 1024  # of bodies, together


class Record:
    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.total = 0
        self.malformed = 0
        self._bytes = 0
        self._answers: Counter[str] = Counter()
        self._paths: Counter[str] = Counter()
        self._last: deque[tuple[int, Received, str]] = deque()
        self._kept = 0

    def add(self, request: Received, answer: str) -> None:
        """Note a request, and the SPEC of what it is answered."""
        self.total += 1
        self._bytes += request.size
        _count(self._answers, answer)
        _count(self._paths, request.path.partition("?")[0])
        self._last.append((self.total, request, answer))
        self._kept += len(request.body)
        while len(self._last) > KEEPS or self._kept > KEEPS_BYTES:
            self._kept -= len(self._last.popleft()[1].body)

    def as_json(self) -> bytes:
        """Totals and the last requests, oldest first."""
        shown = {
            "total": self.total,
            "bytes": self._bytes,
            "malformed": self.malformed,
            "answers": self._answers,
            "paths": self._paths,
            "requests": [_shown(*noted) for noted in self._last],
        }
        return json.dumps(shown, indent=1).encode()


def _count(counter: Counter[str], name: str) -> None:
    if name in counter or len(counter) < KEEPS_NAMES:
        counter[name] += 1


def _shown(number: int, request: Received, answer: str) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "number": number,
        "at": request.at.isoformat(),
        "method": request.method,
        "path": request.path,
        "headers": request.headers,
        "size": request.size,
        "answer": answer,
    }
    try:
        shown["body"] = request.body.decode()
    except UnicodeDecodeError:
        shown["body_base64"] = base64.b64encode(request.body).decode()
    return shown
