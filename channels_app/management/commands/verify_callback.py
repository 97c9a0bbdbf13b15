import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.core.management.base import BaseCommand, CommandError, CommandParser

from channels_app.callback_verifying import BadToken, public_key, verify_callback
from channels_app.captured import Captured, read_captured


class Command(BaseCommand):
    help = (
        "Check whether a captured callback is signed by a key and unchanged. Needs no database. "
        "Ends with 1 where one is not."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--key",
            action="append",
            required=True,
            metavar="FILE",
            help="A public key in PEM; several may be named.",
        )
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "--captured",
            metavar="FILE",
            help="Requests as JSON, as the receiver's GET /received shows them; - is the input.",
        )
        what.add_argument(
            "--authorization", metavar="VALUE", help="The header's value; --body has the body."
        )
        parser.add_argument("--body", metavar="FILE", help="The body, byte by byte as it came.")
        parser.add_argument(
            "--at",
            metavar="TIME",
            help="When it came (ISO 8601 with a zone): tokens are good for five minutes.",
        )

    def handle(self, **options: Any) -> None:
        keys = [self._key(name) for name in options["key"]]
        bad = 0
        for number, captured in enumerate(self._captured(options), start=1):
            try:
                claims = verify_callback(
                    captured.authorization, captured.body, keys, now=captured.at
                )
            except BadToken as problem:
                bad += 1
                self.stdout.write(f"{number} bad   {captured.words}: {problem}")
                continue
            unbound = "" if "bodyHash" in claims else ", but nothing says of which body"
            self.stdout.write(f"{number} good  {captured.words}{unbound}")
        if bad:
            raise CommandError(f"{bad} not good.", returncode=1)

    def _captured(self, options: dict[str, Any]) -> list[Captured]:
        at = self._time(options["at"])
        if options["authorization"] is not None:
            if options["body"] is None:
                raise CommandError("Name the body's file with --body.")
            return [Captured(options["authorization"], self._read(options["body"]), at)]
        try:
            found = read_captured(self._read(options["captured"]).decode())
        except ValueError as error:
            raise CommandError(f"{options['captured']} can't be read: {error}") from error
        if not found:
            raise CommandError("There is no request in it.")
        return [Captured(one.authorization, one.body, at or one.at) for one in found]

    def _key(self, name: str) -> RSAPublicKey:
        try:
            return public_key(self._read(name).decode())
        except ValueError as error:
            raise CommandError(f"{name}: {error}") from error

    @staticmethod
    def _read(name: str) -> bytes:
        try:
            return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        except OSError as error:
            raise CommandError(f"{name}: {error.strerror}") from error

    @staticmethod
    def _time(text: str | None) -> datetime | None:
        if text is None:
            return None
        try:
            at = datetime.fromisoformat(text)
        except ValueError as error:
            raise CommandError(f"“{text}” is no time such as 2026-11-29T08:30:00Z.") from error
        if at.tzinfo is None:
            raise CommandError("Say the time with its zone, such as 2026-11-29T08:30:00Z.")
        return at
