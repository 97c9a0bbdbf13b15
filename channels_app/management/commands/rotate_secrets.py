from typing import Any

from django.core.management.base import BaseCommand, CommandError

from channels_app.channel_services import reseal_all
from project.access.audit import Actor


class Command(BaseCommand):
    help = "Encrypt all channels' secrets anew with the first of CARILLON_FERNET_KEYS."

    def handle(self, **options: Any) -> None:
        done, unreadable = reseal_all(by=Actor.hub("rotate_secrets command"))
        self.stdout.write(f"{done} channel{'' if done == 1 else 's'} encrypted with the newest key")
        if unreadable:
            names = ", ".join(f"{channel} ({channel.tenant})" for channel in unreadable)
            raise CommandError(f"No key opens the secrets of: {names}")
