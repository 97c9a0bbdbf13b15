from collections.abc import Callable, Iterable
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

from django.contrib.admin import AdminSite, ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.utils import timezone

from project.access.audit import record
from project.access.current import actor_of, tenant_of
from project.access.forms import SignInForm
from project.access.models import Tenant, User
from project.navigation import navigation
from project.overview import overview
from project.tenant_menu import may_switch, switch_tenant

TENANTS_OFFERED = 100
# Models that get no pages. django-q2's schedules run any dotted path that is typed in, its lists
# count all rows; groups are kept in code (project/access/groups.py).
WITHOUT_PAGES = {"auth.group", "axes.accesslog", "axes.accessfailurelog"}
# Systems' OAuth credentials are made on their API client's page.
APPS_WITHOUT_PAGES = {"django_q", "oauth2_provider"}
V = TypeVar("V", bound=Callable[..., Any])


class CarillonAdminSite(AdminSite):
    site_header = "Carillon"
    site_title = "Carillon"
    index_title = "Overview"
    site_url = None
    enable_nav_sidebar = False
    login_form = SignInForm

    def register(
        self,
        model_or_iterable: type[Model] | Iterable[type[Model]],
        admin_class: "type[ModelAdmin[Any]] | None" = None,
        **options: Any,
    ) -> None:
        models = [model_or_iterable] if isinstance(model_or_iterable, type) else model_or_iterable
        kept = [
            model
            for model in models
            if model._meta.label_lower not in WITHOUT_PAGES
            and model._meta.app_label not in APPS_WITHOUT_PAGES
        ]
        super().register(kept, admin_class, **options)

    def get_urls(self) -> list[URLResolver | URLPattern]:
        return [
            path("work-in/", self.admin_view(switch_tenant), name="switch_tenant"),
            *super().get_urls(),
        ]

    def admin_view(self, view: V, cacheable: bool = False) -> V:
        """Show and read times in the person's own zone, else in the tenant's."""
        guarded = super().admin_view(view, cacheable)

        @wraps(guarded)
        def zoned(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            with timezone.override(_zone(request)):
                response = guarded(request, *args, **kwargs)
                # Rendered here, while the zone holds.
                return response.render() if isinstance(response, TemplateResponse) else response

        return cast("V", zoned)

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().login(request, extra_context)
        # A refused one leaves whoever was signed in before as the request's user.
        accepted = request.method == "POST" and response.status_code == HTTPStatus.FOUND
        if accepted and isinstance(request.user, User):
            record(actor_of(request), "user.login", tenant=request.user.tenant)
        return response

    def logout(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        if request.method == "POST" and isinstance(request.user, User):
            record(actor_of(request), "user.logout", tenant=request.user.tenant)
        return super().logout(request, extra_context)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        response = super().password_change(request, extra_context)
        if response.status_code == HTTPStatus.FOUND and isinstance(request.user, User):
            tenant = request.user.tenant
            record(actor_of(request), "user.password", tenant=tenant, target=request.user)
        return response

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {
            **super().each_context(request),
            "navigation": navigation(request),
            "tenant": _tenant(request),
            "tenants": Tenant.objects.all()[:TENANTS_OFFERED] if may_switch(request) else (),
        }

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        tenant = _tenant(request)
        found = overview(tenant, request) if tenant else {}
        return super().index(request, {**found, **(extra_context or {})})


def _tenant(request: HttpRequest) -> Tenant | None:
    try:
        return tenant_of(request)
    except PermissionDenied:
        return None


def _zone(request: HttpRequest) -> ZoneInfo | None:
    if isinstance(request.user, User) and request.user.time_zone:
        return ZoneInfo(request.user.time_zone)
    tenant = _tenant(request)
    return tenant.zone if tenant else None
