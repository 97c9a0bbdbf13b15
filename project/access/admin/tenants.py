"""The organisations. An Administrator sees their own; superusers add others."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from project.access.audit import record
from project.access.current import actor_of, tenant_of
from project.access.forms import TenantForm
from project.access.models import Tenant
from project.access.signals import tenant_added
from project.tenant_admin import TenantAdmin


@admin.register(Tenant)
class OrganisationAdmin(TenantAdmin[Tenant]):
    form = TenantForm
    list_display = ("name", "org_id", "external_id", "time_zone", "locale")
    search_fields = ("name", "org_id")
    fieldsets = (
        (None, {"fields": ("name", ("time_zone", "locale"))}),
        ("How other systems know it", {"fields": ("org_id", "external_id")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        tenants = Tenant.objects.all()
        return tenants if request.user.is_superuser else tenants.filter(pk=tenant_of(request).pk)

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> Any:
        """The ids other systems know a tenant by are set by the installation's superusers."""
        return () if request.user.is_superuser else ("org_id", "external_id")

    def has_delete_permission(self, request: HttpRequest, obj: Tenant | None = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead those with one tenant straight to it."""
        if self.has_view_permission(request) and not request.user.is_superuser:
            return redirect("admin:access_tenant_change", tenant_of(request).pk)
        return super().changelist_view(request, extra_context)

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            tenant_added.send(sender=Tenant, tenant=obj)

    def note(self, request: HttpRequest, obj: Tenant, verb: str, **details: Any) -> None:
        record(actor_of(request), f"tenant.{verb}", tenant=obj, target=obj, **details)
