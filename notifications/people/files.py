"""Reading CSV and XLSX files as rows of cells, line by line, so that a file of any length fits.

A table is an iterator of (line, cells); its first row holds the columns' names. Whatever can't be
read raises FileError with a sentence for the person who chose the file.
"""

import csv
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import IO, Any, TypeAlias
from zipfile import BadZipFile, ZipFile

from openpyxl import load_workbook
from openpyxl.cell.cell import TYPE_ERROR, TYPE_FORMULA
from openpyxl.cell.read_only import EMPTY_CELL

from notifications.people.cells import Cell, Fault
from notifications.people.rows import COLUMNS, FileError

Table: TypeAlias = Iterator[tuple[int, list[Cell]]]

LINE_MAX = 1_000_000  # bytes
# An XLSX file is packed: a small one may hold more than memory does.
UNPACKED_MAX = 200 * 1024 * 1024  # bytes
XLSX_ROWS_MAX = 1_048_576  # the format's own
XLSX_COLUMNS_MAX = len(COLUMNS) + 3  # what stands beyond is not looked at

_XLSX_START = b"PK\x03\x04"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_SAVE_AS_UTF_8 = "Save it as “CSV UTF-8” and try again."


def is_xlsx(start: bytes) -> bool:
    return start.startswith(_XLSX_START)


def read_csv(stream: IO[bytes]) -> Table:
    """Read UTF-8, with or without a byte order mark; comma, semicolon or tab part the cells."""
    lines = _lines(stream)
    first = next(lines, "")
    delimiter = next((sign for sign in ",;\t" if sign in first), ",")
    reader = csv.reader(_rejoined(first, lines), delimiter=delimiter, strict=True)
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise FileError(f"The CSV breaks at line {line:,}: {error}.") from None
        if any(cells):
            yield line, list(cells)
        line = reader.line_num + 1


def _lines(stream: IO[bytes]) -> Iterator[str]:
    number = 0
    while raw := stream.readline(LINE_MAX):
        number += 1
        if number == 1:
            if raw.startswith(_UTF_16):
                raise FileError(f"The file is in UTF-16. {_SAVE_AS_UTF_8}")
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if len(raw) == LINE_MAX:
            raise FileError(f"Line {number:,} is longer than {LINE_MAX:,} bytes.")
        if b"\0" in raw:
            raise FileError(f"Line {number:,} holds a NUL character. {_SAVE_AS_UTF_8}")
        try:
            yield raw.decode()
        except UnicodeDecodeError:
            raise FileError(
                f"Line {number:,} is not UTF-8; the file is perhaps in Latin-1. {_SAVE_AS_UTF_8}"
            ) from None


def _rejoined(first: str, rest: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
    yield from rest


def read_xlsx(stream: IO[bytes]) -> Table:
    """Read the first sheet of a workbook, row by row."""
    try:
        sheet = _first_sheet(stream)
        rows = sheet.iter_rows(max_row=XLSX_ROWS_MAX, max_col=XLSX_COLUMNS_MAX)
        width = 0
        for line, row in enumerate(rows, 1):
            if all(each is EMPTY_CELL for each in row):
                continue  # quickly: a sheet may end a million empty rows below its list
            cells = [_cell(each.data_type, each.value) for each in row]
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                # A row is as wide as its last filled cell; below a name, a missing one is empty.
                width = width or len(cells)
                yield line, cells + [""] * (width - len(cells))
    except FileError:
        raise
    except BadZipFile:
        raise FileError("This is no XLSX file, or a damaged one.") from None
    except Exception as error:  # a broken workbook may raise anything in the parsers below
        raise FileError("This XLSX file is damaged: it can't be read.") from error


def _first_sheet(stream: IO[bytes]) -> Any:
    with ZipFile(stream) as packed:
        unpacked = sum(entry.file_size for entry in packed.infolist())
    if unpacked > UNPACKED_MAX:
        raise FileError(f"The workbook unpacks to more than {UNPACKED_MAX >> 20} MB.")
    stream.seek(0)
    book = load_workbook(stream, read_only=True)
    if not book.worksheets:
        raise FileError("The workbook has no sheet with cells.")
    sheet = book.worksheets[0]
    sheet.reset_dimensions()  # what the file says of its size is often wrong
    return sheet


def _cell(kind: str, value: object) -> Cell:
    if kind == TYPE_FORMULA:
        return Fault("The cell holds a formula; put its value there instead.")
    if kind == TYPE_ERROR:
        return Fault("The cell holds an error of the spreadsheet.")
    if isinstance(value, date | datetime | time):
        return Fault("The spreadsheet took this for a date; format the column as text.")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)  # the format knows no whole numbers
    return "" if value is None else str(value)
