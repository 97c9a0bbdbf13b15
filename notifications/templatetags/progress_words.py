"""How the numbers of a send read."""

from datetime import timedelta

from django import template

register = template.Library()


@register.filter
def per_second(rate: float) -> str:
    """5,120/s, or by the minute where less than one leaves in a second."""
    if rate >= 1:
        return f"{rate:,.0f}/s"
    return f"{rate * 60:,.0f}/min" if rate * 60 >= 0.5 else "0/s"


@register.filter
def in_short(length: timedelta) -> str:
    """4 s, 2 min 10 s, 3 h 5 min."""
    seconds = max(round(length.total_seconds()), 0)
    if seconds == 0:
        return "under 1 s"
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"
    if minutes:
        return f"{minutes} min {left} s" if left and minutes < 10 else f"{minutes} min"
    return f"{left} s"


@register.filter
def unlocalized(number: float) -> str:
    """As SVG reads a number, whatever the language."""
    return f"{number:.2f}"
