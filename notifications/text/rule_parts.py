"""The parts of an RFC 5545 recurrence rule (section 3.3.10), read and checked.

dateutil takes rules that the RFC forbids and values out of range, and searches such a rule to the
end of time; so each part is checked here first.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Literal

from dateutil.rrule import DAILY, HOURLY, MONTHLY, WEEKLY, YEARLY, weekday

RULE_MAX = 500  # characters
INTERVAL_MAX = 1000
COUNT_MAX = 1000

Frequency = Literal[0, 1, 2, 3, 4]  # dateutil's numbers, YEARLY to HOURLY
FREQUENCIES: dict[str, Frequency] = {
    "HOURLY": HOURLY,
    "DAILY": DAILY,
    "WEEKLY": WEEKLY,
    "MONTHLY": MONTHLY,
    "YEARLY": YEARLY,
}
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_WEEKDAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_NUMBER = re.compile(r"[+-]?[0-9]{1,4}")
_UNTIL = re.compile(r"([0-9]{8})(?:T([0-9]{6})(Z?))?")

# The values that a list may hold; (True, …) when they may also count from the end.
_RANGES = {
    "BYMINUTE": (False, 0, 59),
    "BYHOUR": (False, 0, 23),
    "BYSECOND": (False, 0, 59),
    "BYMONTH": (False, 1, 12),
    "BYMONTHDAY": (True, 1, 31),
    "BYYEARDAY": (True, 1, 366),
    "BYWEEKNO": (True, 1, 53),
    "BYSETPOS": (True, 1, 366),
}


class RecurrenceError(ValueError):
    """A rule that cannot be followed; the message is for the person who wrote it."""


@dataclass(frozen=True)
class RuleParts:
    """A checked rule. ``until`` is aware; None where the rule says nothing."""

    freq: Frequency
    interval: int
    count: int | None
    until: datetime | None
    wkst: int
    days: tuple[weekday, ...]
    numbers: dict[str, tuple[int, ...]]  # the other lists, by their RFC name

    @property
    def weekdays_in_period(self) -> int:
        """How often a weekday can come in the period that numbered weekdays count in."""
        return 5 if self.freq == MONTHLY or "BYMONTH" in self.numbers else 53

    @property
    def positions(self) -> tuple[int, ...]:
        """BYSETPOS without what a period can never hold; each would cost time in vain."""
        hours = len(set(self.numbers.get("BYHOUR", ()))) or 1
        days = len(set(self.days)) or 1
        most = {HOURLY: 1, DAILY: hours, WEEKLY: days * hours}.get(self.freq, 366)
        return tuple({pos for pos in self.numbers.get("BYSETPOS", ()) if abs(pos) <= most})


def read_rule(rule: str, zone: tzinfo) -> RuleParts:
    """Raise RecurrenceError with a clear message for anything but one plain rule."""
    parts = _split(rule)
    freq = _frequency(parts.pop("FREQ", None))
    if "COUNT" in parts and "UNTIL" in parts:
        raise RecurrenceError("A rule may have COUNT or UNTIL, not both.")
    read = RuleParts(
        freq=freq,
        interval=_whole("INTERVAL", parts.pop("INTERVAL", "1"), INTERVAL_MAX),
        count=_whole("COUNT", parts.pop("COUNT"), COUNT_MAX) if "COUNT" in parts else None,
        until=_until(parts.pop("UNTIL"), zone) if "UNTIL" in parts else None,
        wkst=_week_start(parts.pop("WKST", "MO")),
        days=_days(parts.pop("BYDAY")) if "BYDAY" in parts else (),
        numbers={name: _numbers(name, value) for name, value in parts.items()},
    )
    _check_together(read)
    return read


def _split(rule: str) -> dict[str, str]:
    rule = rule.strip()
    if not rule:
        raise RecurrenceError("The rule is empty.")
    if len(rule) > RULE_MAX:
        raise RecurrenceError(f"The rule is longer than {RULE_MAX} characters.")
    if len(rule.splitlines()) > 1:
        raise RecurrenceError("Only a single RRULE is supported, on one line.")
    rule = rule.upper().removeprefix("RRULE:")
    parts: dict[str, str] = {}
    for part in rule.split(";"):
        name, equals, value = part.partition("=")
        if not equals or not name or not value:
            raise RecurrenceError(f'"{part[:40]}" is not a part of a rule, such as FREQ=DAILY.')
        if name not in _PARTS:
            raise RecurrenceError(f'"{name[:40]}" is not known; known: {", ".join(_PARTS)}.')
        if name in parts:
            raise RecurrenceError(f"{name} stands there twice.")
        parts[name] = value
    return parts


_PARTS = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *_RANGES)


def _frequency(value: str | None) -> Frequency:
    if value in FREQUENCIES:
        return FREQUENCIES[value]
    known = ", ".join(FREQUENCIES)
    if value is None:
        raise RecurrenceError(f"FREQ is missing; it is one of {known}.")
    if value in {"SECONDLY", "MINUTELY"}:
        raise RecurrenceError(f"FREQ={value} is too frequent; the most frequent is HOURLY.")
    raise RecurrenceError(f'FREQ="{value[:40]}" is not one of {known}.')


def _whole(name: str, value: str, most: int) -> int:
    # The length first: int() itself refuses thousands of digits.
    if value.isascii() and value.isdigit() and len(value) <= 20 and 1 <= int(value) <= most:
        return int(value)
    raise RecurrenceError(f"{name} must be a whole number from 1 to {most}.")


def _week_start(value: str) -> int:
    if value in _WEEKDAYS:
        return _WEEKDAYS.index(value)
    raise RecurrenceError(f"WKST must be one of {', '.join(_WEEKDAYS)}.")


def _days(value: str) -> tuple[weekday, ...]:
    days = []
    for item in value.split(","):
        found = _WEEKDAY.fullmatch(item)
        nth = int(found.group(1)) if found and found.group(1) else None
        if found is None or (nth is not None and not 1 <= abs(nth) <= 53):
            raise RecurrenceError(f'BYDAY: "{item[:40]}" is not a weekday such as MO, 1MO or -1FR.')
        days.append(weekday(_WEEKDAYS.index(found.group(2)), nth))
    return tuple(days)


def _numbers(name: str, value: str) -> tuple[int, ...]:
    signed, low, high = _RANGES[name]
    numbers = []
    for item in value.split(","):
        number = int(item) if _NUMBER.fullmatch(item) else None
        size = abs(number) if signed and number is not None else number
        if number is None or size is None or not low <= size <= high:
            span = f"{low} to {high}" + (f" or -{high} to -{low}" if signed else "")
            raise RecurrenceError(f'{name}: "{item[:40]}" is not a number from {span}.')
        numbers.append(number)
    return tuple(numbers)


def _until(value: str, zone: tzinfo) -> datetime:
    """Read UNTIL: in UTC with a Z, else local. A mere date includes that local day."""
    found = _UNTIL.fullmatch(value)
    day, clock, utc = found.groups() if found else ("", None, "")
    try:
        moment = datetime.strptime(day + (clock or "235959"), "%Y%m%d%H%M%S")  # noqa: DTZ007
    except ValueError:
        example = "20261231T235959Z"
        raise RecurrenceError(f'UNTIL="{value[:40]}" is not a time such as {example}.') from None
    return moment.replace(tzinfo=UTC if utc else zone)


def _check_together(parts: RuleParts) -> None:
    """Refuse what the RFC forbids in combination, and what comes more often than hourly."""
    numbers, freq = parts.numbers, parts.freq
    numbered = any(day.n for day in parts.days)
    rules: list[tuple[bool, str]] = [
        (
            any(len(set(numbers.get(name, ()))) > 1 for name in ("BYMINUTE", "BYSECOND")),
            "BYMINUTE and BYSECOND may name one value each; the most frequent is once an hour.",
        ),
        (
            numbered and freq not in (MONTHLY, YEARLY),
            "A numbered weekday in BYDAY, such as 1MO, goes with MONTHLY or YEARLY only.",
        ),
        (
            numbered and "BYWEEKNO" in numbers,
            "A numbered weekday in BYDAY does not go with BYWEEKNO.",
        ),
        (
            (freq == MONTHLY or "BYMONTH" in numbers)
            and any(abs(d.n or 0) > 5 for d in parts.days),
            "BYDAY: a month has no more than five of each weekday.",
        ),
        (
            "BYMONTHDAY" in numbers and freq == WEEKLY,
            "BYMONTHDAY does not go with WEEKLY.",
        ),
        (
            "BYYEARDAY" in numbers and freq in (DAILY, WEEKLY, MONTHLY),
            "BYYEARDAY goes with YEARLY or HOURLY only.",
        ),
        ("BYWEEKNO" in numbers and freq != YEARLY, "BYWEEKNO goes with YEARLY only."),
        (
            "BYSETPOS" in numbers and not parts.days and len(numbers) == 1,
            "BYSETPOS needs another BY part to choose from.",
        ),
        (
            "BYSETPOS" in numbers and not parts.positions,
            "BYSETPOS: the rule never has so many times to choose from.",
        ),
    ]
    for broken, message in rules:
        if broken:
            raise RecurrenceError(message)
