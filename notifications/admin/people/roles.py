from collections.abc import Collection
from itertools import islice
from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from notifications.audience import Audience
from notifications.forms.people import RoleForm
from notifications.models import Notification, Recipient, Role
from notifications.people import LUMA_ROLES
from project.race_safe import RaceSafeAdmin

NAMED = 10  # notifications that keep a role from being deleted


@admin.register(Role)
class RoleAdmin(RaceSafeAdmin[Role]):
    form = RoleForm
    list_display = ("name", "code", "members", "origin")
    search_fields = ("name",)
    ordering = ("-code",)
    sortable_by = ()
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Role]:
        return super().get_queryset(request).annotate(member_count=Count("recipients"))

    def get_readonly_fields(self, request: HttpRequest, obj: Role | None = None) -> tuple[str, ...]:
        # Kept audiences name roles by their code.
        return ("code",) if obj else ()

    @admin.display(description="people")
    def members(self, role: Role) -> str:
        count: int = role.member_count  # type: ignore[attr-defined] # annotated above
        return f"{count:,}"

    @admin.display(description="whose")
    def origin(self, role: Role) -> str:
        return "Luma's" if role.code in LUMA_ROLES else "own"

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Say how many people lose the role; Django would list each of them.

        A role that an approved audience names stays: without it the message would reach nobody,
        and a new role with its code would put other people in their place.
        """
        roles = list(objs)
        held = Recipient.roles.through.objects.filter(role__in=[role.pk for role in roles]).count()
        names = [f"Role: {role}" for role in roles]
        if held:
            names.append(f"It is taken from {held:,} {'person' if held == 1 else 'people'}.")
        refused = set() if self.has_delete_permission(request) else {"role"}
        counts = {"roles": len(roles), "people who hold it": held}
        return names, counts, refused, _waiting_for(roles)


def _waiting_for(roles: Collection[Role]) -> list[str]:
    """Name the notifications that are still to go to one of these roles, at most a few."""
    codes = {(role.tenant_id, role.code) for role in roles}
    waiting = Notification.objects.to_be_expanded().filter(tenant__in={of for of, _ in codes})
    fields = waiting.order_by("pk").values_list("tenant_id", "audience", "title", "stage")
    named = (
        f"Notification: {title or 'Untitled'} ({stage})"
        for of, audience, title, stage in fields.iterator()
        if any((of, code) in codes for code in Audience.from_json(audience).roles)
    )
    return list(islice(named, NAMED))
