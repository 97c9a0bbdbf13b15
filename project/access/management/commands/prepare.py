from typing import Any

from django.core.management.base import BaseCommand

from project.preparing import prepare


class Command(BaseCommand):
    help = "Bring the database and the static files up to date."

    def handle(self, **options: Any) -> None:
        prepare()
