"""Cells of a spreadsheet file: text that no spreadsheet program takes for a formula.

A program that opens a CSV file runs what begins with ``= + - @`` or a tab. Such a text leaves with
an apostrophe before it and comes back without. One that has apostrophes of its own before such a
sign gets one more, so that what leaves always comes back as it was.
"""

import re
from dataclasses import dataclass
from typing import TypeAlias

_DANGEROUS = re.compile(r"'*[=+\-@\t\r]")
_PROTECTED = re.compile(r"'+[=+\-@\t\r]")


@dataclass(frozen=True, slots=True)
class Fault:
    """A cell without usable text; ``message`` says what is wrong with it."""

    message: str


Cell: TypeAlias = str | Fault


def protect(text: str) -> str:
    return f"'{text}" if _DANGEROUS.match(text) else text


def unprotect(text: str) -> str:
    return text[1:] if _PROTECTED.match(text) else text
