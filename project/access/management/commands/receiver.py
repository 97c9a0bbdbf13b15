import asyncio
import errno
import os
import resource
import sys
from argparse import ArgumentTypeError, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    DjangoHelpFormatter,
)

from project.receiver.service import Service
from project.receiver.specs import UNDERSTOOD, NotUnderstood, Program, Step, read_spec

_UNDERSTOOD = f"A SPEC is one of\n{UNDERSTOOD}"


class _Formatter(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Keeps the lines of the SPECs apart."""


class Command(BaseCommand):
    help = "Receive HTTP requests, print them and answer as told, until SIGINT or SIGTERM."
    requires_system_checks = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        more = {"epilog": _UNDERSTOOD, "formatter_class": _Formatter}
        return super().create_parser(prog_name, subcommand, **more, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=_port, default=9000, help="9000; 0 is a free one.")
        parser.add_argument(
            "--answer",
            nargs="+",
            action="extend",
            default=[],
            metavar="SPEC",
            help="What to answer, one request after another; 200 unless given.",
        )
        parser.add_argument("--then", metavar="SPEC", help="What to answer after them, for ever.")
        parser.add_argument("--quiet", action="store_true", help="Print counts only.")

    def handle(self, *, answer: list[str], then: str | None, **options: Any) -> None:
        try:
            program = Program([read_spec(spec) for spec in answer], _then(then))
        except NotUnderstood as error:
            raise CommandError(f"{error}\n{_UNDERSTOOD}") from error
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each connection is a file
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        service = Service(program, sys.stdout, quiet=options["quiet"])
        host, port = options["host"], options["port"]
        try:
            printed = asyncio.run(service.run(host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise CommandError(f"Port {port} is taken.") from error
            raise CommandError(f"Cannot listen on {host}, port {port}: {error}") from error
        if not printed:
            os._exit(0)  # Python would wait for the terminal, or complain that it is gone


def _then(spec: str | None) -> Step | None:
    return None if spec is None else read_spec(spec)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise ArgumentTypeError(f"“{text}” is no port.")
    return int(text)
