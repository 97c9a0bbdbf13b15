import json
import sys
import time
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from channels_app.models import Channel, Tally
from notifications.audience import Audience
from notifications.composing import Draft, NotComposable, NotPossible
from notifications.forms.timing import PASSED, has_passed, read_local
from notifications.models import ORIGIN, Notification, Stage, Template
from notifications.services import notify
from project.access.audit import Actor
from project.access.models import Tenant

ENDED = (Stage.DONE, Stage.CANCELLED)
KEY_MAX = Notification._meta.get_field("key").max_length or 0
LOOK = 0.25  # seconds between two looks at what is waited for


class Command(BaseCommand):
    help = "Send a message from a shell or cron, as the compose page does."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", nargs="+", metavar="LOGIN", default=[])
        parser.add_argument("--role", nargs="+", metavar="CODE", type=int, default=[])
        parser.add_argument("--everyone", action="store_true")
        parser.add_argument("--channel", metavar="NAME", help="Default: each one's last used.")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--text", help="The message; variables are filled in.")
        what.add_argument("--template", type=int, metavar="ID", help="A template's number.")
        parser.add_argument("--message", default="", help="The value of @request.message.")
        parser.add_argument(
            "--value", action="append", default=[], metavar="NAME=VALUE", help="Of @event.NAME."
        )
        parser.add_argument("--title", default="", help="For the console; the e-mail's subject.")
        parser.add_argument("--at", metavar="TIME", help="2026-11-23T07:30; the tenant's clock.")
        parser.add_argument("--repeat", default="", metavar="RULE", help="An RFC 5545 rule.")
        parser.add_argument("--tenant", metavar="NAME", help="Needed where there are several.")
        parser.add_argument(
            "--key",
            default="",
            help=f"Idempotency key: the same one sends once; at most {KEY_MAX} characters.",
        )
        parser.add_argument(
            "--wait",
            action="store_true",
            help="Until every delivery is settled; of a series, those of its first occurrence.",
        )
        parser.add_argument("--json", action="store_true", help="Print the outcome as JSON.")

    def handle(self, **options: Any) -> None:
        key = options["key"]
        if len(key) > KEY_MAX:  # cut, it might be another message's
            raise CommandError(f"--key: at most {KEY_MAX} characters; this has {len(key):,}.")
        tenant = self._tenant(options["tenant"])
        draft = self._draft(tenant, options)
        try:
            notification = notify(tenant, draft, by=Actor.hub("notify command"), key=key)
        except NotComposable as error:
            lines = [f"{name}: {text}" for name, texts in error.errors.items() for text in texts]
            raise CommandError("\n".join(lines)) from error
        except NotPossible as error:
            raise CommandError(str(error)) from error
        occurrence = None
        if options["wait"]:
            show = sys.stderr.isatty()
            if notification.is_series:
                occurrence = self._first_occurrence(notification)
            self._wait(occurrence or notification, show=show)
        self._report(notification, occurrence, options)

    def _tenant(self, name: str | None) -> Tenant:
        tenants = Tenant.objects.all() if name is None else Tenant.objects.filter(name=name)
        match list(tenants[:2]):
            case [tenant]:
                return tenant
            case []:
                raise CommandError(f"There is no tenant {name!r}." if name else "No tenant yet.")
            case _:
                raise CommandError("There are several tenants: say which with --tenant NAME.")

    def _draft(self, tenant: Tenant, options: dict[str, Any]) -> Draft:
        channel = template = None
        if options["channel"]:
            channel = (
                Channel.objects.of(tenant).for_people().filter(name=options["channel"]).first()
            )
            if channel is None:
                raise CommandError(f"There is no channel {options['channel']!r}.")
        if options["template"] is not None:
            found = Template.objects.of(tenant).in_use().filter(number=options["template"]).first()
            if found is None:
                raise CommandError(f"There is no template {options['template']}.")
            template = found.current
        return Draft(
            audience=Audience(
                everyone=options["everyone"],
                contacts=tuple(options["to"]),
                roles=tuple(options["role"]),
            ),
            title=options["title"],
            template=template,
            body=options["text"] or "",
            message=options["message"],
            event=dict(_pair(given) for given in options["value"]),
            channel=channel,
            send_at=self._send_at(tenant, options),
            repeat=options["repeat"],
            time_zone=tenant.time_zone,
        )

    def _send_at(self, tenant: Tenant, options: dict[str, Any]) -> datetime | None:
        """Read the time as the compose page does. A series may have begun in the past."""
        if options["at"] is None:
            return None
        try:
            moment = read_local(options["at"], tenant.zone)
        except ValidationError as error:
            raise CommandError(f"--at {options['at']!r}: {error.messages[0]}") from error
        if not options["repeat"] and has_passed(moment, timezone.now()):
            # Who repeats a command that has sent is answered by what it sent.
            sent = Notification.objects.of(tenant).filter(key=options["key"])
            if not (options["key"] and sent.exists()):
                raise CommandError(f"--at {options['at']!r}: {PASSED}")
        return moment

    def _first_occurrence(self, series: Notification) -> Notification | None:
        """Wait until it is there; None where the series is stopped before."""
        while True:
            series.refresh_from_db()  # before the look: what ends has made its occurrences
            if first := series.occurrences.order_by("pk").first():
                return first
            if series.stage in ENDED:
                return None
            time.sleep(LOOK)

    def _wait(self, notification: Notification, *, show: bool) -> None:
        while True:
            notification.refresh_from_db()
            if notification.stage in ENDED:
                break
            if show:
                self.stderr.write(_bar(notification), ending="")
                self.stderr.flush()
            time.sleep(LOOK)
        if show:
            self.stderr.write(_bar(notification))

    def _report(
        self,
        notification: Notification,
        occurrence: Notification | None,
        options: dict[str, Any],
    ) -> None:
        of = occurrence or notification
        books = Tally.objects.filter(origin_kind=ORIGIN, origin_id=of.pk).first()
        states = {state: count for state, count in books.states.items() if count} if books else {}
        total = sum(states.values())
        if options["json"]:
            outcome: dict[str, Any] = {"notification": notification.pk}
            if occurrence is not None:
                outcome["occurrence"] = occurrence.pk
            self.stdout.write(json.dumps(outcome | {"total": total, "states": states}))
        elif options["wait"]:
            words = ", ".join(f"{count:,} {state}" for state, count in states.items())
            which = f"Notification {notification.pk}"
            if occurrence is not None:
                which += f", first occurrence {occurrence.pk}"
            self.stdout.write(f"{which}: {total:,} people{': ' if words else ''}{words}.")
        else:
            self.stdout.write(f"Notification {notification.pk} is on its way.")


def _bar(notification: Notification) -> str:
    books = Tally.objects.filter(origin_kind=ORIGIN, origin_id=notification.pk).first()
    total, waiting = (books.total, books.open) if books else (0, 0)
    done = total - waiting
    filled = 30 * done // total if total else 0
    return f"\r[{'#' * filled}{'.' * (30 - filled)}] {done:,} of {total:,} "


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals:
        raise CommandError(f"--value {given!r}: write NAME=VALUE.")
    return name, value
