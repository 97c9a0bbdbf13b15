"""People as rows of cells, in the columns that the import reads."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from django.db.models import QuerySet
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from notifications.models import Recipient
from notifications.people.particulars import Particulars, particulars_of
from notifications.people.rows import COLUMNS
from project.spreadsheet import protect

BATCH = 2_000
XLSX_ROWS_MAX = 50_000  # some twenty seconds of writing

_PLAIN = ("pk", "login", "name", "locale", "time_zone", "is_active")


class _Echo:
    """A file for csv.writer that hands each line back."""

    def write(self, line: str) -> str:
        return line


def export_rows(people: QuerySet[Recipient]) -> Iterator[Sequence[str]]:
    """Yield the columns' names, then everyone, by key and in batches; never all in memory.

    Role codes stand as they are: numbers between semicolons are never taken for a formula, and
    with an apostrophe -1 would no longer be a number.
    """
    yield COLUMNS
    last = 0
    people = people.prefetch_related(None).order_by("pk")
    while batch := list(people.filter(pk__gt=last).values(*_PLAIN)[:BATCH]):
        last = batch[-1]["pk"]
        particulars = particulars_of([person["pk"] for person in batch])
        for person in batch:
            yield _cells(person, particulars[person["pk"]])


def _cells(person: Mapping[str, Any], belongings: Particulars) -> list[str]:
    values = {
        "login": protect(person["login"]),
        "name": protect(person["name"]),
        "locale": person["locale"],
        "time_zone": person["time_zone"],
        "roles": ";".join(map(str, sorted(belongings.roles.values(), reverse=True))),
        "active": "true" if person["is_active"] else "false",
        "opt_outs": ";".join(sorted(belongings.opt_outs)),
        **{kind: protect(value) for kind, value in belongings.addresses.items()},
    }
    return [values.get(column, "") for column in COLUMNS]


def csv_lines(rows: Iterator[Sequence[str]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    for row in rows:
        yield writer.writerow(row)  # what _Echo.write returns


def write_xlsx(rows: Iterator[Sequence[str]], stream: IO[bytes]) -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("People")
    for row in rows:
        sheet.append([_text(sheet, value) for value in row])
    book.save(stream)


def _text(sheet: object, value: str) -> WriteOnlyCell:
    """Keep the cell a text: openpyxl would make a formula of one that begins with “=”."""
    cell = WriteOnlyCell(sheet, value=value)
    cell.data_type = "s"
    return cell
