import json
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from channels_app.secrets import SecretsUnreadable
from notifications.demo.credentials import credentials
from notifications.demo.world import NotADemo, build
from project.access.models import Tenant


class Command(BaseCommand):
    help = "Make the demo, or complete it, and print how to get in. Refuses a real installation."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print credentials for scripts.")
        parser.add_argument(
            "--callback-url", metavar="URL", help="Where the webhook and callback channels post."
        )

    def handle(self, *, callback_url: str | None, **options: Any) -> None:
        if Tenant._meta.db_table not in connection.introspection.table_names():
            words = "There is no installation here yet. Where one runs elsewhere, set what it was"
            raise CommandError(f"{words} started with: CARILLON_DATA, DATABASE_URL, PORT.")
        try:
            tenant = build(callback_url=callback_url, base_url=settings.BASE_URL)
        except NotADemo as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        try:
            known = credentials(tenant)
        except SecretsUnreadable as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(known, indent=2, ensure_ascii=False))
            return
        person = known["recipients"][0]
        self.stdout.write(f"Address   {known['base_url']}/admin/")
        self.stdout.write(f"Login     admin, password {known['admin']['password']}")
        self.stdout.write(f"Chat      {person['login']}: {person['chat_url']}")
