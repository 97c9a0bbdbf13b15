from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.views.decorators.http import require_POST

from notifications.admin.templates import words
from notifications.admin.templates.preview import (
    SAMPLE_MESSAGE,
    Preview,
    draw,
    first_sample,
    samples,
)
from notifications.forms.templates import PreviewForm, TemplateForm
from notifications.models import DEFAULT_TEMPLATE, ContentType, Template, TemplateVersion
from notifications.templating import (
    VersionConflict,
    create_template,
    rename_template,
    restore_template,
    retire_template,
    save_version,
)
from project.access.current import actor_of, tenant_of
from project.access.models import User
from project.race_safe import RaceSafeAdmin

VERSIONS_SHOWN = 50


class StateFilter(SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("used", "In use"), ("retired", "Retired")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        value = self.value()
        return None if value is None else queryset.filter(is_retired=value == "retired")


@admin.register(Template)
class TemplateAdmin(RaceSafeAdmin[Template]):
    form = TemplateForm
    races = (IntegrityError, VersionConflict)
    change_form_template = "admin/notifications/template/change_form.html"
    list_display = ("name", "shown_number", "shown_kind", "version", "when", "who", "state")
    list_filter = ("kind", StateFilter)
    search_fields = ("name",)
    ordering = ("name",)
    actions = ("retire", "restore")

    # --- the list ---

    def get_queryset(self, request: HttpRequest) -> QuerySet[Template]:
        newest = TemplateVersion.objects.filter(template=OuterRef("pk")).order_by("-version")
        return (
            super()
            .get_queryset(request)
            .annotate(
                version=Subquery(newest.values("version")[:1]),
                written_at=Subquery(newest.values("created_at")[:1]),
                written_by=Subquery(newest.values("created_by")[:1]),
            )
        )

    @admin.display(description="number", ordering="number")
    def shown_number(self, template: Template) -> str:
        return str(template.number)

    @admin.display(description="kind", ordering="kind")
    def shown_kind(self, template: Template) -> str:
        return template.get_kind_display()

    @admin.display(description="version", ordering="version")
    def version(self, template: Any) -> str:
        return f"v{template.version}"

    @admin.display(description="written", ordering="written_at")
    def when(self, template: Any) -> str:
        return date_format(localtime(template.written_at), "j M Y, H:i")

    @admin.display(description="by", ordering="written_by")
    def who(self, template: Any) -> str:
        return str(template.written_by)

    @admin.display(description="state", ordering="is_retired")
    def state(self, template: Template) -> str:
        if template.is_retired:
            return format_html('<span class="state state-resting">{}</span>', "retired")
        return format_html('<span class="state state-active">{}</span>', "in use")

    @admin.action(description="Retire: offered no longer", permissions=["change"])
    def retire(self, request: HttpRequest, templates: QuerySet[Template]) -> None:
        for template in templates:
            self._retire(request, template)

    @admin.action(description="Use again", permissions=["change"])
    def restore(self, request: HttpRequest, templates: QuerySet[Template]) -> None:
        for template in templates:
            restore_template(template, by=actor_of(request))

    def _retire(self, request: HttpRequest, template: Template) -> None:
        try:
            retire_template(template, by=actor_of(request))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))

    # --- one template ---

    def has_delete_permission(self, request: HttpRequest, obj: Template | None = None) -> bool:
        """The log shows what was sent, so a template is retired and never deleted."""
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Template | None = None) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            return [(None, {"fields": ["name", "words"]})]
        # Its versions are of one kind, and systems call it by its number: neither changes.
        first = ["name", "kind"] if obj is None else ["name"]
        return [(None, {"fields": [*first, "body", "based_on"]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Template | None = None) -> Any:
        return ("words",) if obj else ()

    @admin.display(description="words")
    def words(self, template: Template) -> str:
        return format_html("<pre>{}</pre>", template.current.body)

    def save_model(self, request: HttpRequest, obj: Template, form: Any, change: bool) -> None:
        by, given = actor_of(request), form.cleaned_data
        if change:
            rename_template(obj, given["name"], by=by)
            save_version(obj, body=given["body"], by=by, based_on=given.get("based_on"))
            return
        made = create_template(
            obj.tenant, name=given["name"], kind=given["kind"], body=given["body"], by=by
        )
        obj.pk, obj.number = made.pk, made.number

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        template: Template | None = context.get("original")
        tenant = tenant_of(request)
        user = request.user
        person = first_sample(tenant, user) if isinstance(user, User) else None
        form = context["adminform"].form
        kind = template.kind if template else str(form["kind"].value())
        if kind not in ContentType.values:  # posted by hand
            kind = ContentType.TEXT
        body = form["body"].value() if "body" in form.fields else ""
        login = person.login if person else ""
        context |= {
            "preview": draw(
                tenant, kind=kind, body=body or "", login=login, message=SAMPLE_MESSAGE
            ),
            "preview_kind": kind,
            "preview_login": login,
            "preview_message": SAMPLE_MESSAGE,
            "samples": samples(tenant),
            "variables": words.VARIABLES,
            "filters": words.FILTERS,
            "is_default": template is not None and template.number == DEFAULT_TEMPLATE,
        }
        if template is not None:
            context["versions"] = template.versions.order_by("-version")[:VERSIONS_SHOWN]
            context["version_count"] = template.versions.count()
        return super().render_change_form(request, context, *args, **kwargs)

    # --- beside the form ---

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("preview/", view(self.preview), name="notifications_template_preview"),
            path(
                "<int:pk>/retired/", view(self.set_retired), name="notifications_template_retired"
            ),
            *super().get_urls(),
        ]

    @method_decorator(require_POST)
    def preview(self, request: HttpRequest) -> HttpResponse:
        """The fragment that the editor asks for while someone types."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = PreviewForm(request.POST)
        if form.is_valid():
            given = form.cleaned_data
            preview = draw(
                tenant_of(request),
                kind=given["kind"],
                body=given["body"],
                login=given["preview_login"],
                message=given["preview_message"] or SAMPLE_MESSAGE,
            )
        else:
            preview = Preview(
                problems=[str(text) for found in form.errors.values() for text in found]
            )
        return render(request, "admin/notifications/template/preview.html", {"preview": preview})

    @method_decorator(require_POST)
    def set_retired(self, request: HttpRequest, pk: int) -> HttpResponse:
        template = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_change_permission(request, template):
            raise PermissionDenied
        if request.POST.get("retired") == "1":
            self._retire(request, template)
        else:
            restore_template(template, by=actor_of(request))
        return redirect("admin:notifications_template_change", pk)
