from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.http import QueryDict

from channels_app.log.export import export
from channels_app.log.filters import LogForm
from channels_app.models import Channel, State
from project.access.audit import Actor
from project.access.models import Tenant

FILTERS = ("recipient", "notification", "message", "since", "until")


class Command(BaseCommand):
    help = "Write a tenant's delivery log as CSV to the standard output, newest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True, help="Its name or org ID.")
        parser.add_argument("--state", action="append", default=[], help=", ".join(State.values))
        parser.add_argument("--channel", help="Its name.")
        parser.add_argument("--recipient", help="A login, whole, as the log has it.")
        parser.add_argument("--notification", help="Its number.")
        parser.add_argument("--message", help="A message ID (dlv_…) or number.")
        parser.add_argument("--from", dest="since", help="Date and time in the tenant's zone.")
        parser.add_argument("--to", dest="until", help="Likewise, not included.")
        parser.add_argument("--bom", action="store_true", help="Mark it as UTF-8 for Excel.")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["tenant"]
        tenant = Tenant.objects.filter(Q(name=name) | Q(org_id=name)).first()
        if tenant is None:
            raise CommandError(f"There is no tenant “{name}”.")
        asked = QueryDict(mutable=True)
        asked.setlist("state", options["state"])
        if options["channel"]:
            channel = Channel.objects.of(tenant).filter(name=options["channel"]).first()
            if channel is None:
                raise CommandError(f"There is no channel “{options['channel']}”.")
            asked["channel"] = str(channel.pk)
        asked.update({name: options[name] for name in FILTERS if options[name]})
        form = LogForm(asked, tenant=tenant)
        if not form.is_valid():
            raise CommandError(form.errors.as_text())
        by = Actor.hub("export_log command")
        for chunk in export(form.chosen, tenant=tenant, by=by, bom=options["bom"]):
            self.stdout.write(chunk.decode(), ending="")
