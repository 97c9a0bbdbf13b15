"""How the log says things: moments, spans, outcomes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from django.utils.dateformat import format as dateformat

from channels_app.models import Attempt, Outcome

OUTCOMES = {
    Outcome.ACCEPTED: "accepted",
    Outcome.UNAVAILABLE: "unavailable",
    Outcome.REJECTED: "rejected",
    Outcome.UNKNOWN: "cut off: it may have arrived",
}
_DOT = "\N{NO-BREAK SPACE}·\N{NO-BREAK SPACE}"
_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
_NAMES = {"d": "day", "h": "hour", "min": "minute", "s": "second"}


@dataclass(frozen=True, slots=True)
class Clock:
    """The time now and the zone in which moments are told."""

    now: datetime
    zone: ZoneInfo

    def when(self, moment: datetime, *, exact: bool = False) -> str:
        """The time of day, with its date unless that is today; ``exact``: with milliseconds."""
        local, today = moment.astimezone(self.zone), self.now.astimezone(self.zone)
        time = f"{local:%H:%M:%S}" + (f".{local.microsecond // 1000:03d}" if exact else "")
        if local.date() == today.date():
            return time
        return f"{dateformat(local, 'j M' if local.year == today.year else 'j M Y')}, {time}"

    def full(self, moment: datetime) -> str:
        return f"{self.day(moment)}, {moment.astimezone(self.zone):%H:%M:%S}"

    def day(self, moment: datetime) -> str:
        return dateformat(moment.astimezone(self.zone), "D j M Y")


def took(seconds: float | None) -> str:
    if seconds is None:
        return "not known"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else span(timedelta(seconds=seconds))


def span(length: timedelta) -> str:
    """A length of time: 4 hours, else by its two largest units: 2 d 3 h, 1 min 30 s."""
    rest = max(0, round(length.total_seconds()))
    parts = []
    for unit, seconds in _UNITS:
        number, rest = divmod(rest, seconds)
        parts.append((number, unit))
    first = next((index for index, (number, _) in enumerate(parts) if number), len(parts) - 1)
    told = [part for part in parts[first : first + 2] if part[0]] or parts[-1:]
    if len(told) == 1:
        ((number, unit),) = told
        return f"{number} {_NAMES[unit]}{'' if number == 1 else 's'}"
    return " ".join(f"{number} {unit}" for number, unit in told)


def outcome(attempt: Attempt) -> str:
    words = OUTCOMES[Outcome(attempt.outcome)]
    return (
        f"{words}\N{NO-BREAK SPACE}·\N{NO-BREAK SPACE}{attempt.status}" if attempt.status else words
    )


def in_short(attempts: list[Attempt]) -> str:
    """What the tries met, in order: “500 (3 times), no answer, 503”."""
    met = (_met(attempt) for attempt in attempts)
    counted = ((word, len(list(same))) for word, same in groupby(met))
    return ", ".join(word if n == 1 else f"{word} ({n} times)" for word, n in counted)


def _met(attempt: Attempt) -> str:
    if attempt.status:
        return str(attempt.status)
    match attempt.outcome:
        case Outcome.UNKNOWN:
            return "cut off"
        case Outcome.UNAVAILABLE:
            return "no answer"
    return OUTCOMES[Outcome(attempt.outcome)]
