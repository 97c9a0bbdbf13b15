"""A file's rows: cells become a person's particulars, or problems that name line and column."""

import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError

from channels_app.models.channel import FOR_PEOPLE
from notifications.models.recipient import login_key
from notifications.people import rules
from notifications.people.cells import Cell, Fault
from project.spreadsheet import unprotect

COLUMNS = (
    *("login", "name", "locale", "time_zone", "roles", "active"),
    *(kind.value for kind in FOR_PEOPLE),
    "opt_outs",
)

_PLAIN: dict[str, tuple[str, Callable[[str], Any]]] = {
    "name": ("name", rules.clean_name),
    "locale": ("locale", rules.clean_locale),
    "time_zone": ("time_zone", rules.clean_time_zone),
    "active": ("is_active", rules.clean_active),
}
_CODE = re.compile(r"[+-]?[0-9]{1,9}")
_BETWEEN = re.compile(r"[\s;,]+")


class FileError(Exception):
    """A file that can't be read as a list of people at all, or from some line on."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row was refused."""

    line: int
    column: str
    message: str

    def __str__(self) -> str:
        place = f"Line {self.line:,}, {self.column}" if self.column else f"Line {self.line:,}"
        return f"{place}: {self.message}"


@dataclass(slots=True)
class Row:
    """What a file says of one person. Columns that the file lacks are absent here, or None."""

    line: int
    login: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)  # by kind; "" takes it away
    roles: frozenset[int] | None = None  # codes
    opt_outs: frozenset[str] | None = None

    @property
    def key(self) -> str:
        return login_key(self.login)


def read_header(cells: Sequence[Cell]) -> tuple[str, ...]:
    """Return the columns that a file has, in its order. Raises FileError."""
    names = [_column(cell) for cell in cells]
    while names and not names[-1]:
        names.pop()
    known = f"Known are {', '.join(COLUMNS)}."
    for place, name in enumerate(names, 1):
        if not name:
            raise FileError(f"Column {place} has no name in the first line. {known}")
        if name not in COLUMNS:
            raise FileError(f"The first line names a column “{name[:40]}”. {known}")
        if names.index(name) < place - 1:
            raise FileError(f"The first line names the column {name} twice.")
    if "login" not in names:
        raise FileError(f"The first line must name the columns, login among them. {known}")
    return tuple(names)


def _column(cell: Cell) -> str:
    text = cell if isinstance(cell, str) else ""
    return re.sub(r"[\s_-]+", "_", text.strip().lower())


def read_row(
    header: Sequence[str], line: int, cells: Sequence[Cell], codes: Container[int]
) -> tuple[Row, list[Problem]]:
    """Read one row; with problems it must not be used. ``codes`` are the tenant's roles."""
    row, problems = Row(line), []
    if len(cells) > len(header) and any(cells[len(header) :]):
        message = f"It has {len(cells)} cells, the first line has {len(header)}."
        return row, [Problem(line, "", message)]
    if len(cells) < len(header):
        message = f"It has {len(cells)} cells, the first line has {len(header)}; is it cut off?"
        return row, [Problem(line, "", message)]
    for column, cell in zip(header, cells, strict=False):
        try:
            if isinstance(cell, Fault):
                raise ValidationError(cell.message)  # noqa: TRY301 - one place makes the problems
            _read(row, column, unprotect(cell.strip()), codes)
        except ValidationError as error:
            problems += [Problem(line, column, message) for message in error.messages]
    return row, problems


def _read(row: Row, column: str, text: str, codes: Container[int]) -> None:
    if column == "login":
        row.login = rules.clean_login(text)
    elif column in _PLAIN:
        name, clean = _PLAIN[column]
        value = clean(text)
        if value is not None:
            row.fields[name] = value
    elif column == "roles":
        row.roles = frozenset(_code(word, codes) for word in _words(text))
    elif column == "opt_outs":
        row.opt_outs = frozenset(rules.clean_opt_out(word) for word in _words(text))
    else:
        row.addresses[column] = rules.clean_address(column, text)


def _words(text: str) -> list[str]:
    return [word for word in _BETWEEN.split(text) if word]


def _code(word: str, codes: Container[int]) -> int:
    if not _CODE.fullmatch(word):
        raise ValidationError(f"“{word[:40]}” is not a role's code such as -4.")
    code = int(word)
    if code not in codes:
        raise ValidationError(f"There is no role {code}.")
    return code
