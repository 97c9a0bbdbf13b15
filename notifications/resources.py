"""django-import-export's view of people: its pages run, the work is done in notifications.people.

The library would save person after person; what it calls here reads and writes whole batches.
"""

from io import BytesIO
from typing import Any

from django.db.models import QuerySet
from import_export.fields import Field
from import_export.formats.base_formats import CSV, XLSX, Format
from import_export.resources import Resource
from import_export.results import Error, Result, RowResult
from tablib import Dataset

from notifications.models import Recipient
from notifications.people.exporting import export_rows
from notifications.people.importing import Report, import_all, read_table
from notifications.people.rows import COLUMNS, FileError
from project.access.audit import Actor
from project.access.models import Tenant

# What a request may take: some five seconds, in which nobody else writes where the rows are in
# SQLite. Longer lists are the command's work.
ROWS_MAX = 20_000

_KINDS = {
    "new": RowResult.IMPORT_TYPE_NEW,
    "changed": RowResult.IMPORT_TYPE_UPDATE,
    "unchanged": RowResult.IMPORT_TYPE_SKIP,
    "refused": RowResult.IMPORT_TYPE_INVALID,
}

EXPORT_FORMATS = [CSV, XLSX]


class Upload(Format):  # type: ignore[misc] # the library has no types
    """A CSV or XLSX file; its first bytes say which."""

    def __init__(self, encoding: str | None = None) -> None:
        """The library names an encoding; the bytes are read as they are."""

    def get_title(self) -> str:
        return "CSV or XLSX"

    def can_import(self) -> bool:
        return True

    def create_dataset(self, in_stream: bytes) -> BytesIO:
        return BytesIO(in_stream)


class ImportResult(Result):  # type: ignore[misc]
    """What the import page shows. ``report`` holds the rows and the problems."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self.report = report
        self.total_rows = report.rows
        for name, kind in _KINDS.items():
            self.totals[kind] = report.counts[name]

    def has_validation_errors(self) -> bool:
        return not self.report.is_good


class RecipientResource(Resource):  # type: ignore[misc]
    def __init__(self, *, tenant: Tenant, by: Actor) -> None:
        super().__init__()
        self.tenant = tenant
        self.by = by
        self.fields = {column: Field(column_name=column) for column in COLUMNS}

    @classmethod
    def get_display_name(cls) -> str:
        return "People"

    def import_data(
        self, dataset: BytesIO, dry_run: bool = False, file_name: str = "", **kwargs: Any
    ) -> ImportResult:
        try:
            report = import_all(
                self.tenant,
                read_table(dataset),
                by=self.by,
                source=file_name,
                dry_run=dry_run,
                rows_max=ROWS_MAX,
            )
        except FileError as error:
            result = ImportResult(Report())
            result.append_base_error(Error(error))
            return result
        return ImportResult(report)

    def export(self, queryset: QuerySet[Recipient], **kwargs: Any) -> Dataset:
        rows = export_rows(queryset)
        return Dataset(*rows, headers=next(rows))
