"""When a message leaves, as a person types it: a local time, and rules for those who know none."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime

PRESETS = {
    "daily": "FREQ=DAILY",
    "weekdays": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
    "weekly": "FREQ=WEEKLY",
    "monthly": "FREQ=MONTHLY",
}
OWN = "own"
REPEATS = (
    ("daily", "Every day"),
    ("weekdays", "Every weekday, Monday to Friday"),
    ("weekly", "Every week on that day"),
    ("monthly", "Every month on that day"),
    (OWN, "By a rule of your own"),
)
_YEARS = range(2000, 2201)  # as Recurrence takes them
# A time that was right when it was typed is not refused for the seconds since.
GRACE = timedelta(minutes=2)
PASSED = "This time has passed; choose a later one."


def preset_of(rule: str) -> str:
    """Return the preset that a stored rule is, or OWN."""
    return next((name for name, each in PRESETS.items() if each == rule), OWN)


def read_local(text: str, zone: ZoneInfo) -> datetime:
    """Return the moment of a time on the zone's clocks; of one that comes twice, the first.

    Raises ValidationError for what is no time, and for one that the clocks skip.
    """
    try:
        wall = parse_datetime(text.strip())
    except ValueError:
        wall = None
    if wall is None:
        raise ValidationError("Enter a date and time such as 2026-11-23 07:30.")
    if wall.year not in _YEARS:
        raise ValidationError(f"Choose a year from {_YEARS[0]} to {_YEARS[-1]}.")
    if wall.tzinfo is not None:
        return wall.astimezone(UTC)
    moment = wall.replace(tzinfo=zone, fold=0)
    shown = moment.astimezone(UTC).astimezone(zone)
    if shown.replace(tzinfo=None) != wall:
        raise ValidationError(
            f"There is no {wall:%H:%M} on that day: the clocks in {zone.key} go forward then. "
            f"Choose {shown:%H:%M}, or a time before."
        )
    return moment.astimezone(UTC)


def has_passed(moment: datetime, now: datetime) -> bool:
    """Whether it is too late to ask for this moment; ``PASSED`` says so."""
    return moment < now - GRACE


def comes_twice(moment: datetime, zone: ZoneInfo) -> bool:
    """Whether the zone's clocks show this moment's time twice on that day."""
    wall = moment.astimezone(zone)
    offsets = {wall.replace(fold=fold).utcoffset() for fold in (0, 1)}
    return len(offsets) > 1


def written_local(moment: datetime | None, zone: ZoneInfo) -> str:
    """Return it as an input of the type datetime-local takes it."""
    return moment.astimezone(zone).strftime("%Y-%m-%dT%H:%M") if moment else ""


def next_hour(now: datetime, zone: ZoneInfo) -> datetime:
    """A time to begin with when someone chooses “later”: the next full hour but one."""
    later = now.astimezone(zone) + timedelta(hours=2)
    return later.replace(minute=0, second=0, microsecond=0)
