from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from project.parent import end_with
from project.schedules import ensure_schedules, run_all_soon
from project.worker_pool import WorkerPool


class Command(BaseCommand):
    help = "Do the background work, until SIGINT or SIGTERM."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--parent", type=int, metavar="PID", help="End when this parent ends.")

    def handle(self, *, parent: int | None, **options: Any) -> None:
        if parent is not None:
            end_with(parent)
        try:
            ensure_schedules()
            run_all_soon()
        except DatabaseError as error:
            raise CommandError(f"Is the database prepared (manage.py prepare)? {error}") from error
        if not WorkerPool().run():
            raise CommandError("The workers ended by themselves.")
