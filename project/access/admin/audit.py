"""The audit trail: read, filtered by action, person and time, never changed."""

import json
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from project.access.current import tenant_of
from project.access.models import AuditEntry
from project.keyset import KeysetChangeList
from project.tenant_admin import ReadOnlyAdmin

# The filters offer what stands in so many of the latest entries: bounded however long it grows.
LOOKED_AT = 2000


class RecentValueFilter(admin.SimpleListFilter):
    """One column's values, as the latest entries have them."""

    column = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        latest = model_admin.get_queryset(request).order_by("-pk")
        found = set(latest.values_list(self.column, flat=True)[:LOOKED_AT])
        chosen = request.GET.get(self.parameter_name or "")
        return [(value, value) for value in sorted(found | ({chosen} if chosen else set()))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> Any:
        value = self.value()
        if not value:
            return queryset
        # PostgreSQL refuses a text with a NUL, so no row has one.
        return queryset.none() if "\0" in value else queryset.filter(**{self.column: value})


class ActionFilter(RecentValueFilter):
    title, parameter_name, column = "action", "action", "action"


class ActorFilter(RecentValueFilter):
    title, parameter_name, column = "by", "by", "actor_name"


class TimeFilter(admin.SimpleListFilter):
    title, parameter_name = "time", "within"
    HOURS = {"1": "last hour", "24": "last 24 hours", "168": "last 7 days", "720": "last 30 days"}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(self.HOURS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> Any:
        if self.value() not in self.HOURS:
            return queryset
        return queryset.filter(at__gte=timezone.now() - timedelta(hours=int(self.value() or 0)))


@admin.register(AuditEntry)
class AuditAdmin(ReadOnlyAdmin[AuditEntry]):
    list_display = ("when", "by", "did", "what", "address")
    list_display_links = ("when",)
    list_filter = (ActionFilter, ActorFilter, TimeFilter)
    list_per_page = 100
    sortable_by = ()
    actions = None
    change_list_template = "admin/access/auditentry/change_list.html"
    change_form_template = "admin/access/auditentry/change_form.html"

    @admin.display(description="when")
    def when(self, entry: AuditEntry) -> str:
        return f"{timezone.localtime(entry.at):%d %b %Y, %H:%M:%S}"

    @admin.display(description="by")
    def by(self, entry: AuditEntry) -> SafeString:
        if entry.actor_kind == "user":
            return format_html("{}", entry.actor_name)
        kind = entry.get_actor_kind_display().lower()
        return format_html('{} <span class="quiet">{}</span>', entry.actor_name, kind)

    @admin.display(description="did")
    def did(self, entry: AuditEntry) -> SafeString:
        return format_html("<code>{}</code>", entry.action)

    @admin.display(description="to what")
    def what(self, entry: AuditEntry) -> str:
        if not entry.target_kind:
            return ""
        kind = _kind(entry)
        return format_html('{} <span class="quiet">{}</span>', entry.target_name, kind)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        """The tenant's entries; a superuser also reads those of the installation itself."""
        theirs = Q(tenant=tenant_of(request))
        if request.user.is_superuser:
            theirs |= Q(tenant=None)
        return AuditEntry.objects.filter(theirs)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        entry = self.get_object(request, object_id)
        facts: dict[str, Any] = {}
        if entry is not None:
            details = json.dumps(entry.details, indent=2, ensure_ascii=False, sort_keys=True)
            facts = {
                "kind": _kind(entry),
                "target_url": _page_of(entry),
                "details": details if entry.details else "",
            }
        return super().change_view(request, object_id, form_url, facts | (extra_context or {}))


def _kind(entry: AuditEntry) -> str:
    """Return the target's model in words, or its bare name when the model is gone."""
    models = {model._meta.model_name: model for model in apps.get_models()}
    model = models.get(entry.target_kind)
    return str(model._meta.verbose_name) if model else entry.target_kind


def _page_of(entry: AuditEntry) -> str:
    for label in ("access", "channels_app", "notifications"):
        try:
            return reverse(f"admin:{label}_{entry.target_kind}_change", args=[entry.target_id])
        except NoReverseMatch:
            continue
    return ""
