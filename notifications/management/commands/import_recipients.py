import json
import sys
import time
from argparse import ArgumentTypeError
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper

from notifications.people.importing import COUNTED, import_stream, read_table
from notifications.people.rows import FileError
from project.access.audit import Actor
from project.access.models import Tenant

ERRORS_IN_JSON = 1_000  # all of them stand on stderr


def existing_file(name: str) -> str:
    if name != "-" and not Path(name).is_file():
        raise ArgumentTypeError(f"there is no file {name}")
    return name


class Command(BaseCommand):
    help = (
        "Take a list of people (CSV or XLSX) into a tenant. Refused rows are named and left out, "
        "then the exit code is 1. Running it again, after a break too, does no harm."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=existing_file, help="The file, or - for standard input.")
        parser.add_argument("--tenant", required=True, help="The tenant's name.")
        parser.add_argument("--dry-run", action="store_true", help="Only say what would happen.")
        parser.add_argument(
            "--strict", action="store_true", help="Read all of it first; import if all is good."
        )
        parser.add_argument("--json", action="store_true", help="Print the counts as JSON.")

    def handle(
        self, *, file: str, tenant: str, dry_run: bool, strict: bool, **options: Any
    ) -> None:
        owner = Tenant.objects.filter(name=tenant).first()
        if owner is None:
            raise CommandError(f"There is no tenant “{tenant}”.")
        source = "standard input" if file == "-" else Path(file).name
        with _opened(file, twice=strict) as stream:
            run = _Run(owner, stream, source, OutputWrapper(sys.stderr, ending=""))
            if strict and not dry_run:
                run.go(dry_run=True)
                stream.seek(0)
            if run.is_good or not strict:
                run.go(dry_run=dry_run)
        self._report(run, as_json=options["json"])
        if not run.is_good:
            raise CommandError("Not all of the file was good.", returncode=1)

    def _report(self, run: "_Run", *, as_json: bool) -> None:
        counts = {name: run.counts[name] for name in COUNTED}
        rows = run.counts.total()
        if as_json:
            report = {"rows": rows, **counts, "written": run.written, "errors": run.errors}
            self.stdout.write(json.dumps(report | {"seconds": round(run.seconds, 2)}))
            return
        words = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        written = "" if run.written else " Nothing was written."
        self.stdout.write(f"{rows:,} rows: {words}.{written} {run.seconds:.1f} s.")


class _Run:
    """The work on one file, and what it met."""

    def __init__(
        self, tenant: Tenant, stream: IO[bytes], source: str, stderr: OutputWrapper
    ) -> None:
        self.tenant = tenant
        self.stream = stream
        self.source = source
        self.stderr = stderr
        self.counts: Counter[str] = Counter()
        self.errors: list[str] = []
        self.is_good = True
        self.written = False
        self.seconds = 0.0

    def go(self, *, dry_run: bool) -> None:
        self.counts.clear()
        by = Actor.hub("import_recipients command")
        table = read_table(self.stream)
        word = "Checking" if dry_run else "Importing"
        started = time.monotonic()
        try:
            for batch in import_stream(
                self.tenant, table, by=by, source=self.source, dry_run=dry_run
            ):
                self.counts += batch.counts
                self.written = self.written or not dry_run
                for problem in batch.problems:
                    self._complain(str(problem))
                self._show(word, batch.line, time.monotonic() - started)
        except FileError as error:
            self._complain(str(error))
        self.seconds += time.monotonic() - started
        if self.stderr.isatty():
            self.stderr.write("\n")

    def _complain(self, message: str) -> None:
        self.is_good = False
        if len(self.errors) < ERRORS_IN_JSON:
            self.errors.append(message)
        clear = "\r\x1b[K" if self.stderr.isatty() else ""
        self.stderr.write(f"{clear}{message}\n")

    def _show(self, word: str, line: int, seconds: float) -> None:
        if self.stderr.isatty():
            rows = self.counts.total()
            rate = rows / max(seconds, 0.001)
            self.stderr.write(f"\r\x1b[K{word}: {rows:,} rows, {rate:,.0f} a second, line {line:,}")
            self.stderr.flush()


@contextmanager
def _opened(name: str, *, twice: bool) -> Iterator[IO[bytes]]:
    """Open the file; what comes through a pipe is put aside where it is read ``twice``."""
    if name != "-":
        with Path(name).open("rb") as file:
            yield file
    elif not twice:
        yield sys.stdin.buffer
    else:
        with TemporaryFile() as kept:
            copyfileobj(sys.stdin.buffer, kept)
            kept.seek(0)
            yield kept
