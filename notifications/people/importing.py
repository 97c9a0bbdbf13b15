"""Lists of people taken in: all or nothing from a form, or a stream without an end."""

from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from io import BufferedReader
from itertools import chain, islice
from typing import IO, Any

from django.db import transaction

from notifications.people.batches import Outcome, settle_batch
from notifications.people.files import Table, is_xlsx, read_csv, read_xlsx
from notifications.people.rows import FileError, Problem, Row, read_header, read_row
from notifications.people.seen import Seen
from project.access.audit import Actor, record
from project.access.models import Tenant

BATCH = 2_000  # rows in one transaction: a second's work at most, so that others get their turn
PROBLEMS_SHOWN = 200
ROWS_SHOWN = 100
COUNTED = ("new", "changed", "unchanged", "refused")


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of one batch of a file."""

    line: int  # the last one read
    outcomes: list[Outcome]
    problems: list[Problem]

    @property
    def counts(self) -> "Counter[str]":
        refused = len({problem.line for problem in self.problems})
        return Counter({"refused": refused} if refused else {}) + Counter(
            outcome.effect for outcome in self.outcomes
        )


@dataclass
class Report:
    """What an import does or did; the lists hold the first of each, the counts all.

    ``counts`` has the keys that COUNTED names.
    """

    counts: "Counter[str]" = field(default_factory=Counter)
    outcomes: list[Outcome] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0

    @property
    def rows(self) -> int:
        return self.counts.total()

    @property
    def is_good(self) -> bool:
        return not self.problem_count

    def add(self, batch: Batch) -> None:
        self.counts += batch.counts
        self.problem_count += len(batch.problems)
        self.problems += batch.problems[: PROBLEMS_SHOWN - len(self.problems)]
        self.outcomes += batch.outcomes[: ROWS_SHOWN - len(self.outcomes)]

    def as_details(self) -> dict[str, Any]:
        return {name: self.counts[name] for name in COUNTED}


def read_table(stream: IO[bytes]) -> Table:
    """Read a CSV or XLSX file; which of them it is stands in its first bytes."""
    if isinstance(stream, BufferedReader):  # a pipe has no way back
        start = stream.peek(4)[:4]
    else:
        start = stream.read(4)
        stream.seek(0)
    if not is_xlsx(start):
        return read_csv(stream)
    if not stream.seekable():
        raise FileError("An XLSX file can't come through a pipe; name the file.")
    return read_xlsx(stream)


def import_all(
    tenant: Tenant,
    table: Table,
    *,
    by: Actor,
    source: str,
    dry_run: bool = False,
    rows_max: int | None = None,
) -> Report:
    """Take a list in if every row of it is good, else nothing; ``dry_run`` only reports.

    Raises FileError for a file that can't be read, or that has more than ``rows_max`` rows.
    """
    report = Report()
    # Looking alone needs no transaction, which on SQLite would keep all writers waiting.
    with nullcontext() if dry_run else transaction.atomic():
        for batch in _batches(tenant, table, write=not dry_run):
            report.add(batch)
            if rows_max is not None and report.rows > rows_max:
                raise FileError(f"The file has more than {rows_max:,} rows.")
        if dry_run:
            return report
        if not report.is_good:
            transaction.set_rollback(True)
            return report
        record(by, "recipient.import", tenant=tenant, source=source, **report.as_details())
    return report


def import_stream(
    tenant: Tenant, table: Table, *, by: Actor, source: str, dry_run: bool = False
) -> Iterator[Batch]:
    """Take a list in batch by batch, each in its own transaction; refused rows are left out.

    Broken off, it leaves the batches before in place, and running it again does no harm. The
    audit trail gets an entry at the start and one at the end. Raises FileError where the file
    can't be read on.
    """
    report = Report()
    if not dry_run:
        record(by, "recipient.import_start", tenant=tenant, source=source)
    try:
        for batch in _batches(tenant, table, write=not dry_run):
            report.add(batch)
            yield batch
    finally:
        if not dry_run:
            record(by, "recipient.import", tenant=tenant, source=source, **report.as_details())


def _batches(tenant: Tenant, table: Table, *, write: bool) -> Iterator[Batch]:
    first = next(table, None)
    if first is None:
        raise FileError("The file is empty.")
    header = read_header(first[1])
    start = next(table, None)
    if start is None:
        raise FileError("The file names its columns, but nobody stands below them.")
    table = chain([start], table)
    with Seen() as seen:
        while lines := list(islice(table, BATCH)):
            codes = dict(tenant.roles.values_list("code", "pk"))
            rows: list[Row] = []
            problems: list[Problem] = []
            for line, cells in lines:
                row, wrong = read_row(header, line, cells, codes)
                problems += wrong
                if not wrong:
                    rows.append(row)
            again = seen.note([(row.key, row.line) for row in rows])
            problems += [
                Problem(line, "login", f"It stands in line {first:,} already.")
                for line, first in again.items()
            ]
            problems.sort(key=lambda problem: problem.line)
            rows = [row for row in rows if row.line not in again]
            yield Batch(lines[-1][0], settle_batch(tenant, rows, codes, write=write), problems)
