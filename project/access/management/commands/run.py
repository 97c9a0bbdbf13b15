import os
import sys
from io import StringIO
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from project.access.models import User
from project.parent import end_with
from project.preparing import prepare
from project.processes import port_is_free
from project.supervising import Plan, become


class Command(BaseCommand):
    help = "Run web and workers together, prepared and watched over, until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="Load the demo first.")
        parser.add_argument("--parent", type=int, metavar="PID", help="End when this parent ends.")

    def handle(self, *, demo: bool, parent: int | None, **options: Any) -> None:
        if parent is not None:
            end_with(parent)
        try:
            free = port_is_free(settings.WEB_HOST, settings.PORT)
        except OSError as error:
            raise CommandError(f"Can't listen at {settings.WEB_HOST}: {error}") from error
        if not free:
            raise CommandError(
                f"Port {settings.PORT} is taken. Choose another one: PORT={settings.PORT + 1}"
            )
        self.stdout.write("Preparing the database and the static files.")
        prepare()
        way_in = self._load_demo() if demo else self._invitation()
        connections.close_all()
        become(
            Plan(
                commands={name: _command(name) for name in ("web", "worker")},
                host=settings.WEB_HOST,
                port=settings.PORT,
                way_in=way_in,
                parent=parent,
            )
        )

    def _load_demo(self) -> str:
        """Return what the demo says on how to get in."""
        said = StringIO()
        try:
            call_command("demo", stdout=said)
        except CommandError as refusal:
            self.stderr.write(f"No demo: {refusal}")
            return self._invitation()
        return said.getvalue()

    def _invitation(self) -> str:
        lines = [f"Address   {settings.BASE_URL}/admin/"]
        if not User.objects.filter(is_active=True, is_staff=True).exists():
            lines.append("Login     nobody yet; make one with manage.py createsuperuser")
        return "\n".join(lines)


def _command(name: str) -> list[str]:
    manage = str(settings.BASE_DIR / "manage.py")
    return [sys.executable, manage, name, "--parent", str(os.getpid())]
