"""The list of people: its order, its filters and what its columns show."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join

from notifications.admin.paging import KeyedChangeList
from notifications.models import Recipient
from notifications.models.recipient import EVERY_KIND, RecipientQuerySet
from project.access.current import tenant_of

ROLES_OFFERED = 100


class PeopleList(KeyedChangeList):
    key_field = "login_key"

    def get_queryset(self, request: HttpRequest, *args: Any) -> QuerySet[Recipient]:
        found = super().get_queryset(request, *args)
        return found.prefetch_related("roles", "addresses", "opt_outs")


class RoleFilter(SimpleListFilter):
    title = "role"
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        roles = tenant_of(request).roles.order_by("-code")[:ROLES_OFFERED]
        return [(str(role.code), role.name) for role in roles]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Recipient] | None:
        value = self.value()
        if value is None:
            return None
        known = {code for code, _ in self.lookup_choices}
        people = cast("RecipientQuerySet", queryset)
        return people.holding([int(value)]) if value in known else people.none()


class ActiveFilter(SimpleListFilter):
    title = "active"
    parameter_name = "active"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Active"), ("no", "At rest")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Recipient]
    ) -> QuerySet[Recipient] | None:
        value = self.value()
        return None if value is None else queryset.filter(is_active=value != "no")


class Columns:
    """What stands in each column; the prefetched rows are read, nothing is asked for."""

    @admin.display(description="name")
    def shown_name(self, person: Recipient) -> str:
        return person.name

    @admin.display(description="roles")
    def shown_roles(self, person: Recipient) -> str:
        return ", ".join(role.name for role in person.roles.all())

    @admin.display(description="locale, time zone")
    def locale_and_zone(self, person: Recipient) -> str:
        zone = person.time_zone.replace("_", " ")
        return format_html('{}<div class="muted">{}</div>', person.locale, zone)

    @admin.display(description="addresses")
    def shown_addresses(self, person: Recipient) -> str:
        lines = [(one.get_kind_display(), one.value) for one in person.addresses.all()]
        return format_html_join("", '<div class="muted">{}</div><div>{}</div>', lines)

    @admin.display(description="opted out of")
    def shown_opt_outs(self, person: Recipient) -> str:
        outs = person.opt_outs.all()
        if any(out.kind == EVERY_KIND for out in outs):
            return "every channel"
        return ", ".join(out.get_kind_display() for out in outs)

    @admin.display(description="state")
    def shown_active(self, person: Recipient) -> str:
        name, word = ("active", "active") if person.is_active else ("resting", "at rest")
        return format_html('<span class="state state-{}">{}</span>', name, word)
