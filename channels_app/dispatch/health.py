"""What one loop sees of the receivers it sends to, in memory: a message costs nothing more."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from channels_app.dispatch.results import Result, try_of
from channels_app.models import Channel, Outcome

# So many failures in a row, the last within so long of the first. A delivery that fails alone
# never gets there: its plan has four tries in the first two minutes.
FAILURES, WITHIN = 20, timedelta(minutes=1)
BUSY = 429  # the endpoint lives and asks for patience


class Finding(Enum):
    """What the end of a try says of its channel, where it says anything new."""

    DEAD = auto()  # one failure too many
    GONE = auto()  # the receiver wants no more messages
    PROBE_ANSWERED = auto()
    PROBE_FAILED = auto()
    PROBE_UNUSED = auto()  # the row could not be put into a request, or not with a good token


@dataclass(frozen=True, slots=True)
class Probe:
    """The one row that a paused channel lets out, and the pause that it was let out of."""

    since: datetime
    until: datetime  # its lease
    waited: int  # seconds before it
    key: int = 0  # the try's number


@dataclass(frozen=True, slots=True)
class Change:
    """Something to be written; ``channel`` as it was when the try left."""

    finding: Finding
    channel: Channel
    error: str = ""
    probe: Probe | None = None


class Health:
    """What one loop has met at one channel since its settings last changed."""

    def __init__(self) -> None:
        self.probe: Probe | None = None
        self._failed: deque[datetime] = deque(maxlen=FAILURES)

    def note(self, result: Result) -> Change | None:
        """Take in the end of a try."""
        finding = self._gauge(result)
        if self.probe is not None and self.probe.key == try_of(result.delivery):
            probe, self.probe = self.probe, None
            finding = Finding.GONE if finding is Finding.GONE else _of_probe(result)
        else:
            probe = None
        if finding is None:
            return None
        return Change(finding, result.delivery.channel, result.error, probe)

    def _gauge(self, result: Result) -> Finding | None:
        if result.gone:
            return Finding.GONE
        if not result.left or result.token_refused:
            return None
        if result.outcome in (Outcome.ACCEPTED, Outcome.REJECTED) or result.answered:
            self._failed.clear()
        elif result.outcome == Outcome.UNAVAILABLE and result.status != BUSY:
            ended = result.started_at + timedelta(seconds=result.duration or 0)
            self._failed.append(ended)
            if len(self._failed) == FAILURES and ended - self._failed[0] <= WITHIN:
                self._failed.clear()
                return Finding.DEAD
        return None


def _of_probe(result: Result) -> Finding | None:
    if not result.left or result.token_refused:
        return Finding.PROBE_UNUSED
    match result.outcome:
        case Outcome.UNKNOWN:
            return None  # its lease will end
        case Outcome.UNAVAILABLE if result.status != BUSY and not result.answered:
            return Finding.PROBE_FAILED
        case _:
            return Finding.PROBE_ANSWERED
