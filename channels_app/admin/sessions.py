"""Sessions as auditors read them: the list, a session's page, its transcript."""

import re
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    StreamingHttpResponse,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_GET, require_safe

from channels_app.admin.console import ConsolePages
from channels_app.admin.delivery_facts import admin_url
from channels_app.log.paging import BIGINT_MAX, NEWEST
from channels_app.log.words import Clock
from channels_app.models import Session
from channels_app.records.entries import Place, Shown
from channels_app.records.filters import SessionForm
from channels_app.records.lines import lines
from channels_app.records.page import SessionPage
from channels_app.records.transcript import Form, transcript
from project.access.current import actor_of, tenant_of
from project.access.models import Tenant

PAGE = 50
HERE = "admin/channels_app/session"
TYPES = {"txt": "text/plain; charset=utf-8", "json": "application/json"}
_NUMBER = re.compile(r"[0-9]{1,19}")


@admin.register(Session)
class SessionAdmin(ConsolePages):
    """Own views instead of the admin's: its list counts all rows and pages by OFFSET."""

    def get_urls(self) -> list[URLPattern]:
        views: dict[str, tuple[Callable[..., HttpResponseBase], str]] = {
            "": (self.changelist_view, "changelist"),
            "<str:object_id>/change/": (self.change_view, "change"),
            "<str:object_id>/transcript.<str:form>": (self.transcript_view, "transcript"),
        }
        own = [
            path(route, self.admin_site.admin_view(view), name=f"channels_app_session_{name}")
            for route, (view, name) in views.items()
        ]
        return [*own, *super().get_urls()]

    @method_decorator(require_safe)
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        tenant = self._tenant(request)
        form = SessionForm(request.GET, tenant=tenant)
        clock = Clock(timezone.now(), tenant.zone)
        context: dict[str, Any] = {"form": form, "title": "All sessions"}
        if form.shows_something:
            chosen = form.chosen
            page = chosen.listing(tenant).page(form.place, PAGE)
            context |= {
                "chosen": chosen,
                "page": page,
                "lines": lines(page.rows, clock),
                "words": chosen.in_words(clock),
                "is_newest": form.place == NEWEST,
            }
        return self._render(request, tenant, "change_list.html", context)

    @method_decorator(require_safe)
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        tenant = self._tenant(request)
        session = self._found(tenant, object_id)
        asked = request.GET.get("before", "")
        before = Place.read(asked)
        may = request.user.has_perm
        shown = Shown(
            tries=may("channels_app.view_attempt"),
            inbound=may("channels_app.view_inboundevent"),
            only_talk=request.GET.get("show") == "talk",
        )
        clock = Clock(timezone.now(), tenant.zone)
        client = session.client_id or 0
        context = {
            "title": str(session),
            "it": SessionPage.of(session, clock, shown=shown, before=before),
            "session": session,
            "is_damaged": bool(asked) and before is None,
            "is_newest": before is None,
            "may_follow": may("channels_app.view_delivery"),
            "client_url": admin_url(request, "access", "apiclient", client),
            "channel_url": admin_url(request, "channels_app", "channel", session.channel_id),
            "work_type_url": admin_url(
                request, "channels_app", "worktype", session.work_type_id or 0
            ),
        }
        return self._render(request, tenant, "change_form.html", context)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        raise Http404("A session's history is its page.")

    @method_decorator(require_GET)
    def transcript_view(self, request: HttpRequest, object_id: str, form: Form) -> HttpResponseBase:
        tenant = self._tenant(request)
        session = self._found(tenant, object_id)
        if form not in TYPES:
            raise Http404("There is no transcript of this form.")
        clock = Clock(timezone.now(), tenant.zone)
        content = transcript(session, form, by=actor_of(request), clock=clock)
        return StreamingHttpResponse(
            content,
            content_type=TYPES[form],
            headers={"Content-Disposition": f'attachment; filename="session-{session.pk}.{form}"'},
        )

    def _tenant(self, request: HttpRequest) -> Tenant:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return tenant_of(request)

    @staticmethod
    def _found(tenant: Tenant, number: str) -> Session:
        related = ("tenant", "channel", "work_type", "agent", "offered_to", "client", "opening")
        rows = Session.objects.of(tenant).select_related(*related)
        known = _NUMBER.fullmatch(number) and int(number) <= BIGINT_MAX
        found = rows.filter(pk=int(number)).first() if known else None
        if found is None:
            raise Http404("There is no such session.")
        return found

    def _render(
        self, request: HttpRequest, tenant: Tenant, template: str, context: dict[str, Any]
    ) -> HttpResponse:
        common = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "zone": tenant.time_zone,
        }
        return TemplateResponse(request, f"{HERE}/{template}", common | context)
