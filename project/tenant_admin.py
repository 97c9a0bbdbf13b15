"""The admin classes that all of Carillon's model pages stand on."""

from typing import Any, ClassVar, TypeVar

from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist
from django.db.models import ForeignKey, ManyToManyField, Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from project.access.audit import record
from project.access.current import actor_of, tenant_of

M = TypeVar("M", bound=Model)


def _has_tenant(model: type[Model]) -> bool:
    try:
        model._meta.get_field("tenant")
    except FieldDoesNotExist:
        return False
    return True


class TenantAdmin(admin.ModelAdmin[M]):
    """Shows and changes one tenant's rows only, and writes each change to the audit trail.

    The tenant is never a field of the form: it is the one the person works in.
    """

    tenant_path: ClassVar[str] = "tenant"  # the look-up from the row to its tenant
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        return super().get_queryset(request).filter(**{self.tenant_path: tenant_of(request)})

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Let an address narrow a list by another row only where the list offers that.

        Django compares such keys unmeasured, and one of 19 digits breaks the query.
        """
        name = lookup.partition("__")[0]
        try:
            is_relation = self.opts.get_field(name).is_relation
        except FieldDoesNotExist:
            is_relation = False
        if is_relation and name not in self.get_list_filter(request):
            return False
        return super().lookup_allowed(lookup, value, request)

    def get_exclude(self, request: HttpRequest, obj: M | None = None) -> Any:
        return [*(super().get_exclude(request, obj) or ()), "tenant"]

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        return super().formfield_for_foreignkey(
            db_field, request, **self._within_tenant(db_field, request, kwargs)
        )

    def formfield_for_manytomany(
        self, db_field: ManyToManyField[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        return super().formfield_for_manytomany(
            db_field, request, **self._within_tenant(db_field, request, kwargs)
        )

    @staticmethod
    def _within_tenant(
        db_field: Any, request: HttpRequest, kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        """Offer the tenant's own rows only: another tenant's id is “not a valid choice”."""
        model = db_field.related_model
        if "queryset" not in kwargs and _has_tenant(model):
            kwargs["queryset"] = model._default_manager.filter(tenant=tenant_of(request))
        return kwargs

    def get_form(
        self, request: HttpRequest, obj: M | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm[M]]:
        """Check a row's constraints with its tenant, which is no field of the form."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if not _has_tenant(self.model):
            return form
        tenant = tenant_of(request)

        class TenantForm(form):  # type: ignore[valid-type,misc]
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                if self.instance._state.adding:
                    self.instance.tenant = tenant

            def _get_validation_exclusions(self) -> set[str]:
                return super()._get_validation_exclusions() - {"tenant"}  # type: ignore[no-any-return]

        return TenantForm

    def save_model(self, request: HttpRequest, obj: M, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        self.note(request, obj, "change" if change else "add", fields=form.changed_data)

    def delete_model(self, request: HttpRequest, obj: M) -> None:
        self.note(request, obj, "delete")
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[M]) -> None:
        for obj in queryset:
            self.note(request, obj, "delete")
        super().delete_queryset(request, queryset)

    def note(self, request: HttpRequest, obj: M, verb: str, **details: Any) -> None:
        record(
            actor_of(request),
            f"{self.model._meta.model_name}.{verb}",
            tenant=tenant_of(request),
            target=obj,
            **details,
        )


class ReadOnlyAdmin(TenantAdmin[M]):
    """Rows that nobody changes through a form."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False
