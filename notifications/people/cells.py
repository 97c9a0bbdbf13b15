"""Cells of a spreadsheet file that someone brings."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Fault:
    """A cell without usable text; ``message`` says what is wrong with it."""

    message: str


Cell: TypeAlias = str | Fault
