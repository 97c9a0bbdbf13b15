import os
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

from project.forking import share_by_fork
from project.parent import end_with
from project.processes import port_is_free

APPLICATION = "project.wsgi:application"


class Command(BaseCommand):
    help = "Serve the pages and the API, until SIGINT or SIGTERM."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--parent", type=int, metavar="PID", help="End when this parent ends.")

    def handle(self, *, parent: int | None, **options: Any) -> None:
        if parent is not None:
            end_with(parent)
        # The server shares its port with whoever asks for it, so ask first.
        if not port_is_free(settings.WEB_HOST, settings.PORT):
            raise CommandError(f"Port {settings.PORT} is taken.")
        share_by_fork([settings.ROOT_URLCONF, "project.wsgi"])
        server = Granian(
            APPLICATION,
            address=settings.WEB_HOST,
            port=settings.PORT,
            interface=Interfaces.WSGI,
            workers=settings.WEB_PROCESSES,
            blocking_threads=settings.WEB_THREADS,
            # Threads keep their database connections, so they should live long.
            blocking_threads_idle_timeout=600,
            http=HTTPModes.http1,
            websockets=False,
            log_level=LogLevels.error,
            respawn_failed_workers=True,
            workers_kill_timeout=10,
        )
        server.serve(target_loader=partial(_load, os.getpid()), wrap_loader=False)


def _load(server: int) -> Any:
    """Load the application, in a serving process."""
    end_with(server)
    from project.wsgi import application

    return application
