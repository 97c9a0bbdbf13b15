from typing import Any

from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse

from project.tenant_admin import M, TenantAdmin


class RaceSafeAdmin(TenantAdmin[M]):
    """Two people save what only one may have: the second is told so in the form.

    The form's checks passed for both, the database refused one. That one is checked again, and
    now the form sees what the other saved.
    """

    races: tuple[type[Exception], ...] = (IntegrityError,)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except self.races:
            return super().changeform_view(request, object_id, form_url, extra_context)
