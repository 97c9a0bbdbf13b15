"""The filters that may stand behind a variable, as in ``@recipient.name|upper``.

A filter is a plain function of the text so far, its argument and the reader's time zone. None
of them raises: what a filter cannot handle passes through unchanged, since a send to many people
must not stop at one odd value. Arguments are checked once, when a text is parsed.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from typing import NamedTuple
from urllib.parse import quote

from notifications.text.dates import depends_on_zone, format_date, format_problem

Argument = str | int | None
Apply = Callable[[str, Argument, tzinfo | None], str]

TRUNCATE_MAX = 40_000  # characters; the longest text there is

_ENDING = re.compile(r"(?<=\w)['\u2019](?:S|T|D|M|Ll|Re|Ve)\b")


class Step(NamedTuple):
    """One filter with its argument, ready to run."""

    apply: Apply
    argument: Argument = None


@dataclass(frozen=True)
class Filter:
    """What the parser must know of a filter.

    ``problem`` says what is wrong with an argument, or None. ``example`` is shown to a person
    who wrote the filter wrongly.
    """

    apply: Apply
    example: str
    takes: type[str] | type[int] | None = None
    problem: Callable[[Argument], str | None] | None = None


def _upper(text: str, argument: Argument, zone: tzinfo | None) -> str:
    return text.upper()


def _lower(text: str, argument: Argument, zone: tzinfo | None) -> str:
    return text.lower()


def _title(text: str, argument: Argument, zone: tzinfo | None) -> str:
    # str.title() starts a new word at an apostrophe: right for O'Neil, wrong for It'S.
    return _ENDING.sub(lambda found: found.group().lower(), text.title())


def _trim(text: str, argument: Argument, zone: tzinfo | None) -> str:
    return text.strip()


def _default(text: str, argument: Argument, zone: tzinfo | None) -> str:
    return text or str(argument)


def _truncate(text: str, argument: Argument, zone: tzinfo | None) -> str:
    if not isinstance(argument, int) or len(text) <= argument:
        return text
    return text[: argument - 1].rstrip() + "…"


def _truncate_problem(argument: Argument) -> str | None:
    if isinstance(argument, int) and 1 <= argument <= TRUNCATE_MAX:
        return None
    return f"the length must be between 1 and {TRUNCATE_MAX}"


def _date(text: str, argument: Argument, zone: tzinfo | None) -> str:
    return format_date(text, str(argument), zone)


def _date_problem(argument: Argument) -> str | None:
    return format_problem(str(argument))


def _quote(text: str, argument: Argument, zone: tzinfo | None) -> str:
    return quote(text, safe="", errors="replace")


FILTERS = {
    "upper": Filter(_upper, "upper"),
    "lower": Filter(_lower, "lower"),
    "title": Filter(_title, "title"),
    "trim": Filter(_trim, "trim"),
    "default": Filter(_default, 'default:"soon"', str),
    "truncate": Filter(_truncate, "truncate:40", int, _truncate_problem),
    "date": Filter(_date, 'date:"short"', str, _date_problem),
}

# Not for authors: added to what is inserted into a URL.
URL_QUOTE = Step(_quote)


def is_default(step: Step) -> bool:
    return step.apply is _default


def needs_zone(step: Step) -> bool:
    return step.apply is _date


def run(text: str, steps: tuple[Step, ...]) -> str | None:
    """Return ``text`` filtered, or None when the result depends on the reader's time zone."""
    for step in steps:
        if needs_zone(step) and depends_on_zone(text):
            return None
        text = step.apply(text, step.argument, None)
    return text
