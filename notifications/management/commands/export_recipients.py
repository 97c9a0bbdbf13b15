import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from notifications.models import Recipient
from notifications.people.exporting import csv_lines, export_rows
from project.access.audit import Actor, record
from project.access.models import Tenant


class Command(BaseCommand):
    help = "Write a tenant's people as CSV, in the columns that import_recipients reads."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", default="-", help="Standard output without it.")
        parser.add_argument("--tenant", required=True, help="The tenant's name.")

    def handle(self, *, file: str, tenant: str, **options: Any) -> None:
        owner = Tenant.objects.filter(name=tenant).first()
        if owner is None:
            raise CommandError(f"There is no tenant “{tenant}”.")
        lines = 0
        try:
            with (
                nullcontext(sys.stdout)
                if file == "-"
                else Path(file).open("w", encoding="utf-8", newline="")
            ) as target:
                for line in csv_lines(export_rows(Recipient.objects.of(owner))):
                    target.write(line)
                    lines += 1
        except OSError as error:
            raise CommandError(f"{file} can't be written: {error.strerror}.") from error
        by = Actor.hub("export_recipients command")
        record(by, "recipient.export", tenant=owner, format="CSV", people=lines - 1)
