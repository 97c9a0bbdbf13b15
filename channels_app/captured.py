"""A callback as somebody caught it: with its time, its headers, its body."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Captured:
    """``at`` is when it came; None where nobody noted that."""

    authorization: str
    body: bytes
    at: datetime | None = None

    @classmethod
    def of(cls, shown: Mapping[str, Any]) -> Self:
        """Read a request as `manage.py receiver` shows it. Raises ValueError."""
        try:
            headers = {str(name).lower(): value for name, value in shown["headers"].items()}
            encoded = shown.get("body_base64")
            body = base64.b64decode(encoded) if encoded else str(shown["body"]).encode()
            at = datetime.fromisoformat(shown["at"]) if shown.get("at") else None
        except (KeyError, AttributeError, TypeError, ValueError, binascii.Error) as error:
            raise ValueError("It is no request with headers and a body.") from error
        if at is not None and at.tzinfo is None:
            raise ValueError("Its time names no zone.")
        return cls(str(headers.get("authorization", "")), body, at)

    @property
    def words(self) -> str:
        """Say which event it is, as far as it can be read."""
        try:
            event = json.loads(self.body)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            return "no event"
        kind = event.get("event") or ("MESSAGE" if "message" in event else "no known event")
        return f"{kind} {event.get('eventId', 'without an eventId')}"


def read_captured(text: str) -> list[Captured]:
    """Read one request, a list of them, or all that ``GET /received`` shows. Raises ValueError."""
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("It is nested too deeply.") from None
    if isinstance(found, dict) and "requests" in found:
        found = found["requests"]
    requests = found if isinstance(found, list) else [found]
    return [Captured.of(shown) for shown in requests]
