"""Dates in a text: ``@event.until|date:"long"``.

The value is an ISO 8601 date or date-time. An aware one is shown in the reader's time zone; a
date or a naive date-time is shown as it stands. Month and day names are English; the numeric
letters suit any language.

Styles: ``short`` 5 Mar 2026, ``long`` Thursday, 5 March 2026, ``time`` 21:00. Any other format is
made of the letters below, with a backslash before a letter that stands for itself:
``j F \\a\\t H:i``.
"""

from collections.abc import Callable
from datetime import datetime, tzinfo

STYLES = {"short": "j M Y", "long": "l, j F Y", "time": "H:i"}

# Own names instead of strftime's, whose words change with the locale of the process.
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_LETTERS: dict[str, Callable[[datetime], str]] = {
    "d": lambda when: f"{when.day:02}",
    "j": lambda when: str(when.day),
    "D": lambda when: _DAYS[when.weekday()][:3],
    "l": lambda when: _DAYS[when.weekday()],
    "m": lambda when: f"{when.month:02}",
    "n": lambda when: str(when.month),
    "M": lambda when: _MONTHS[when.month - 1][:3],
    "F": lambda when: _MONTHS[when.month - 1],
    "y": lambda when: f"{when.year % 100:02}",
    "Y": lambda when: f"{when.year:04}",
    "H": lambda when: f"{when.hour:02}",
    "G": lambda when: str(when.hour),
    "h": lambda when: f"{(when.hour - 1) % 12 + 1:02}",
    "g": lambda when: str((when.hour - 1) % 12 + 1),
    "i": lambda when: f"{when.minute:02}",
    "s": lambda when: f"{when.second:02}",
    "A": lambda when: "AM" if when.hour < 12 else "PM",
    "T": lambda when: when.tzname() or "",
}


def format_problem(style: str) -> str | None:
    """Say what is wrong with a format, or None."""
    if style in STYLES:
        return None
    if not style.strip():
        return "the format is empty"
    escaped = False
    for char in style:
        if not escaped and char.isalpha() and char not in _LETTERS:
            known = " ".join(_LETTERS)
            return f"{char!r} is no format letter; use short, long, time, or the letters {known}"
        escaped = char == "\\" and not escaped
    return None


def format_date(text: str, style: str, zone: tzinfo | None) -> str:
    """Return ``text`` unchanged when it is no ISO 8601 date."""
    when = _read(text)
    if when is None:
        return text
    if when.tzinfo is not None and zone is not None:
        try:
            when = when.astimezone(zone)
        except OverflowError:  # the first or last day of the calendar
            return text
    out = []
    escaped = False
    for char in STYLES.get(style, style):
        if char == "\\" and not escaped:
            escaped = True
            continue
        letter = None if escaped else _LETTERS.get(char)
        out.append(letter(when) if letter else char)
        escaped = False
    return "".join(out)


def depends_on_zone(text: str) -> bool:
    """True when ``text`` is a moment, which each reader sees in their own time zone."""
    when = _read(text)
    return when is not None and when.tzinfo is not None


def _read(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
