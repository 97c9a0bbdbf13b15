"""Import with a preview, and export: django-import-export's pages in a recipient's admin."""

from itertools import chain
from tempfile import TemporaryFile
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from import_export.admin import ImportExportMixin
from import_export.formats.base_formats import CSV
from import_export.tmp_storages import BaseStorage

from notifications.forms.transfer import (
    UPLOAD_MAX,
    PeopleConfirmForm,
    PeopleExportForm,
    PeopleImportForm,
)
from notifications.models import Recipient
from notifications.people import drafts
from notifications.people.exporting import XLSX_ROWS_MAX, csv_lines, export_rows, write_xlsx
from notifications.people.rows import COLUMNS
from notifications.resources import (
    EXPORT_FORMATS,
    ROWS_MAX,
    ImportResult,
    RecipientResource,
    Upload,
)
from project.access.audit import record
from project.access.current import actor_of, tenant_of

BYTE_ORDER_MARK = "\ufeff"  # by which Excel knows UTF-8


class DraftStorage(BaseStorage):  # type: ignore[misc] # the library has no types
    """Finds a draft by its name; the forms see to it that it is the tenant's own."""

    def read(self) -> bytes:
        return drafts.read(self.name) or b""

    def remove(self) -> None:
        drafts.drop(self.name)


class PeopleTransfer(ImportExportMixin):  # type: ignore[misc]
    resource_classes = (RecipientResource,)
    import_formats = (Upload,)
    export_formats = EXPORT_FORMATS
    import_form_class = PeopleImportForm
    confirm_form_class = PeopleConfirmForm
    export_form_class = PeopleExportForm
    tmp_storage_class = DraftStorage
    skip_admin_log = True  # the audit trail holds the counts, not an entry for each person
    import_template_name = "admin/notifications/recipient/import.html"
    export_template_name = "admin/notifications/recipient/export.html"
    import_export_change_list_template = "admin/notifications/recipient/change_list.html"

    def has_import_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("notifications.import_recipient")

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("notifications.export_recipient")

    def get_resource_kwargs(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        return {"tenant": tenant_of(request), "by": actor_of(request)}

    # --- import ---

    def get_import_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {"columns": COLUMNS, "rows_max": ROWS_MAX, "upload_max": UPLOAD_MAX}

    def create_import_form(self, request: HttpRequest) -> PeopleImportForm:
        form: PeopleImportForm = super().create_import_form(request)
        form.tenant = tenant_of(request)
        return form

    def get_confirm_form_kwargs(self, request: HttpRequest, import_form: Any = None) -> Any:
        kwargs = super().get_confirm_form_kwargs(request, import_form)
        return {**kwargs, "tenant": tenant_of(request)}

    def write_to_tmp_storage(self, import_file: Any, input_format: Any) -> DraftStorage:
        return DraftStorage(name=drafts.keep(import_file.tenant, import_file.read()))

    def import_action(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        response: TemplateResponse = super().import_action(request, **kwargs)
        context = response.context_data or {}
        context["title"] = "Import people"
        if request.method == "POST" and "confirm_form" not in context:
            # Nobody can confirm a file that is not good, so it does not stay.
            upload = getattr(context["form"], "cleaned_data", {}).get("import_file")
            if name := getattr(upload, "tmp_storage_name", ""):
                drafts.drop(name)
        return response

    def process_result(self, result: ImportResult, request: HttpRequest) -> HttpResponse:
        if result.has_errors() or result.has_validation_errors():
            # Good when it was previewed; since then a role went, or the like.
            context = {
                **self.admin_site.each_context(request),
                **self.get_import_context_data(),
                "title": "Import people",
                "opts": self.model._meta,
                "form": self.get_import_form_class(request)(
                    self.get_import_formats(), self.get_import_resource_classes(request)
                ),
                "result": result,
            }
            return TemplateResponse(request, [self.import_template_name], context)
        counts = result.report.counts
        words = f"{counts['new']:,} new, {counts['changed']:,} changed"
        messages.success(request, f"Imported: {words}, {counts['unchanged']:,} as they were.")
        return HttpResponseRedirect(reverse("admin:notifications_recipient_changelist"))

    # --- export ---

    def get_valid_export_item_pks(self, request: HttpRequest) -> list[int]:
        """Nobody chooses single people here; the list's search and filters do."""
        return []

    def init_request_context_data(self, request: HttpRequest, form: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().init_request_context_data(request, form)
        people = self.get_export_queryset(request)
        return {
            **context,
            "title": "Export people",
            "count": people.count(),
            "is_part": bool(request.GET),
            "columns": COLUMNS,
        }

    def _do_file_export(
        self,
        file_format: Any,
        request: HttpRequest,
        queryset: QuerySet[Recipient],
        export_form: Any = None,
    ) -> HttpResponseBase:
        """Stream the file; raises ValueError, which the page shows, for too many for XLSX."""
        is_csv = isinstance(file_format, CSV)
        count = queryset.count()
        if not is_csv and count > XLSX_ROWS_MAX:
            raise ValueError(f"XLSX takes {XLSX_ROWS_MAX:,} people at most. Choose CSV.")
        kind = "CSV" if is_csv else "XLSX"
        tenant = tenant_of(request)
        record(actor_of(request), "recipient.export", tenant=tenant, format=kind, people=count)
        name = f"people-{timezone.localdate():%Y-%m-%d}.{kind.lower()}"
        disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
        rows = export_rows(queryset)
        if is_csv:
            lines = chain([BYTE_ORDER_MARK], csv_lines(rows))
            content_type = "text/csv; charset=utf-8"
            return StreamingHttpResponse(lines, content_type=content_type, headers=disposition)
        file = TemporaryFile()  # noqa: SIM115 - the response closes it
        write_xlsx(rows, file)
        file.seek(0)
        return FileResponse(file, content_type=file_format.CONTENT_TYPE, headers=disposition)
