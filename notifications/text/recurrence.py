"""When a repeating notification is due: RFC 5545 rules, evaluated on the wall clock of a zone.

A rule at 09:00 stays at 09:00 when the clocks change. A local time that the clocks skip moves
forward by as much as they do (02:30 becomes 03:30), as section 3.3.5 reads such a time; one that
comes twice means the first. That holds for HOURLY as well: the hour that comes twice counts once,
and the skipped hour falls together with the next.

The start counts only when the rule itself names it: MONTHLY;BYMONTHDAY=1 from the 15th begins on
the next 1st. COUNT counts what really comes, UNTIL includes its moment.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import MAXYEAR, UTC, datetime, timedelta
from itertools import islice
from typing import Self
from zoneinfo import ZoneInfo

from dateutil.rrule import DAILY, HOURLY, WEEKLY, rrule, weekday

from notifications.text.rule_parts import RecurrenceError, RuleParts, read_rule

__all__ = ["Recurrence", "RecurrenceError"]

# dateutil gives up on a rule that never comes (30 February) only in the year 9999, after seconds
# or minutes. The Gregorian calendar repeats every 400 years to the weekday, so rules are
# evaluated 7600 years ahead and brought back, which leaves it at most 400 years to search.
_AHEAD = 7600
_LAST_YEAR = MAXYEAR - _AHEAD
_START_YEARS = range(2000, 2201)

_STEPS = {HOURLY: timedelta(hours=1), DAILY: timedelta(days=1), WEEKLY: timedelta(weeks=1)}


@dataclass(frozen=True)
class Recurrence:
    """A rule with its start. Occurrences are aware, in UTC, whole seconds, until the year 2399."""

    rule: str
    start: datetime
    zone: str
    parts: RuleParts = field(repr=False)
    first: datetime = field(repr=False)

    @classmethod
    def parse(cls, rule: str, *, start: datetime, zone: str) -> Self:
        """Read ``RRULE:FREQ=…`` or ``FREQ=…``; ``zone`` is an IANA name.

        Raises RecurrenceError when the rule is none, unsupported, or never comes.
        """
        if start.tzinfo is None:
            raise ValueError("The start must be aware.")
        try:
            tz = ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise RecurrenceError(f'"{zone[:60]}" is not a time zone.') from None
        if start.astimezone(tz).year not in _START_YEARS:
            first, last = _START_YEARS[0], _START_YEARS[-1]
            raise RecurrenceError(f"The start must be between the years {first} and {last}.")
        parts = read_rule(rule, tz)
        start = start.astimezone(UTC).replace(microsecond=0)
        # Days first: dateutil is slow to find that no position fits where no day does.
        numbers = {name: of for name, of in parts.numbers.items() if name != "BYSETPOS"}
        days = cls(rule, start, zone, replace(parts, numbers=numbers), start)
        whole = cls(rule, start, zone, parts, start)
        begins = None
        if next(days._occurrences(start), None):
            begins = next(whole._occurrences(start), None)
        if begins is None:
            raise RecurrenceError("No date from the start on fits the rule.")
        return cls(rule.strip(), start, zone, parts, begins)

    def after(self, moment: datetime) -> datetime | None:
        """Return the first occurrence later than ``moment``, None when there is none."""
        return next(iter(self.next(1, moment)), None)

    def next(self, count: int, after: datetime) -> list[datetime]:
        """Return up to ``count`` occurrences later than ``after``."""
        if after.year > _LAST_YEAR:
            return []
        after = max(after, self.start - timedelta(days=1)).astimezone(UTC)
        later = (moment for moment in self._occurrences(after) if moment > after)
        return list(islice(later, count))

    def _occurrences(self, since: datetime) -> Iterator[datetime]:
        """Yield in order; may begin somewhat before ``since``, never skips one after it."""
        until = self.parts.until
        moments = self._moments(since)
        for moment in islice(moments, self.parts.count):
            if until is not None and moment > until:
                return
            yield moment

    def _moments(self, since: datetime) -> Iterator[datetime]:
        """Turn wall-clock times into moments, putting those that the clocks skip in their place."""
        tz = ZoneInfo(self.zone)
        first_wall = self._wall(self.start)
        moved: deque[datetime] = deque()
        for wall in self._walls(first_wall, self._wall(since)):
            # The start may be in the second pass of an hour that comes twice.
            moment = self.start if wall == first_wall else wall.replace(tzinfo=tz).astimezone(UTC)
            if self._wall(moment) != wall:
                moved.append(moment)
                continue
            while moved and moved[0] <= moment:
                if (waited := moved.popleft()) < moment:
                    yield waited
            yield moment
        yield from moved

    def _walls(self, start: datetime, since: datetime) -> Iterator[datetime]:
        """Yield the rule's naive local times, from about ``since`` on where that is cheap."""
        step = _STEPS.get(self.parts.freq)
        if step is not None and self.parts.count is None:
            # Whole intervals change nothing in the rule. Clocks never move by more than a day.
            step *= self.parts.interval
            start += max(0, (since - timedelta(days=2) - start) // step) * step
        try:
            ahead = start.replace(year=start.year + _AHEAD)
            for wall in _rule(self.parts, ahead):
                if wall >= ahead:
                    yield wall.replace(year=wall.year - _AHEAD)
        except (ValueError, OverflowError):  # past the year 9999, or hours that are never met
            return

    def _wall(self, moment: datetime) -> datetime:
        return moment.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None, fold=0)


def _rule(parts: RuleParts, start: datetime) -> rrule:
    """Return dateutil's rule; a weekly one may yield times of its first week before ``start``."""
    numbers = parts.numbers
    days = parts.days
    if not days and ("BYWEEKNO" in numbers or parts.freq == WEEKLY):
        # The RFC takes what a rule leaves open from its start; dateutil takes all seven days of
        # a numbered week.
        days = (weekday(start.weekday()),)
    if parts.freq == WEEKLY:
        # BYSETPOS counts in whole weeks; dateutil would count the first from its start.
        start -= timedelta(days=(start.weekday() - parts.wkst) % 7)
    return rrule(
        parts.freq,
        dtstart=start,
        interval=parts.interval,
        wkst=parts.wkst,  # dateutil's default hangs on a setting of the process
        byweekday=_numbered(parts, days) or None,
        bymonth=numbers.get("BYMONTH"),
        bymonthday=numbers.get("BYMONTHDAY"),
        byyearday=numbers.get("BYYEARDAY"),
        byweekno=numbers.get("BYWEEKNO"),
        bysetpos=parts.positions or None,
        byhour=numbers.get("BYHOUR"),
        byminute=numbers.get("BYMINUTE"),
        bysecond=numbers.get("BYSECOND"),
    )


def _numbered(parts: RuleParts, days: tuple[weekday, ...]) -> tuple[weekday, ...]:
    """Write each plain weekday as all its numbers where a numbered one stands beside it.

    The RFC means either; dateutil would ask for both at once.
    """
    if not any(day.n for day in days):
        return days
    every = range(1, parts.weekdays_in_period + 1)
    return tuple(
        numbered
        for day in days
        for numbered in ([day] if day.n else [weekday(day.weekday, n) for n in every])
    )
