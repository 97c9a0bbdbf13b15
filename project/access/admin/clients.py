"""The systems that may call, and their tokens."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from project.access import views
from project.access.forms import ApiClientForm, IssueForm, RotateForm
from project.access.models import ApiClient, ApiToken
from project.access.oauth import OAUTH_SCOPES
from project.tenant_admin import TenantAdmin

TOKENS_SHOWN = 50


@admin.register(ApiClient)
class ApiClientAdmin(TenantAdmin[ApiClient]):
    form = ApiClientForm
    change_form_template = "admin/access/apiclient/change_form.html"
    list_display = ("name", "scope_names", "rate", "state", "created_at")
    list_filter = ("is_active",)
    search_fields = ("name",)
    search_help_text = "Name"

    @admin.display(description="may")
    def scope_names(self, client: ApiClient) -> str:
        return ", ".join(client.scopes) or "nothing yet"

    @admin.display(description="requests a minute", ordering="rate_limit")
    def rate(self, client: ApiClient) -> str:
        return f"{client.rate_limit:,}" if client.rate_limit else "no limit"

    @admin.display(description="state", ordering="is_active")
    def state(self, client: ApiClient) -> SafeString:
        state, word = ("active", "active") if client.is_active else ("resting", "at rest")
        return format_html('<span class="state state-{}">{}</span>', state, word)

    def get_fields(self, request: HttpRequest, obj: ApiClient | None = None) -> tuple[str, ...]:
        """Those who only read see the scopes in words."""
        writes = self.has_add_permission(request) or self.has_change_permission(request, obj)
        return ("name", "scopes" if writes else "scope_names", "rate_limit", "is_active")

    def get_readonly_fields(
        self, request: HttpRequest, obj: ApiClient | None = None
    ) -> tuple[str, ...]:
        return ("scope_names",)

    def get_urls(self) -> list[URLPattern]:
        def route(to: str, view: Any, name: str) -> URLPattern:
            guarded = self.admin_site.admin_view(view)
            pattern: URLPattern = path(to, guarded, name=f"access_apiclient_{name}")
            return pattern

        return [
            route("<int:client_id>/tokens/issue/", views.issue, "issue"),
            route("<int:client_id>/tokens/rotate/", views.rotate, "rotate"),
            route("<int:client_id>/tokens/<int:token_id>/revoke/", views.revoke, "revoke"),
            route("<int:client_id>/credentials/", views.credentials, "credentials"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        client = self.get_object(request, object_id)
        tokens = {
            "tokens": _with_state(client) if client else (),
            "issue_form": IssueForm(),
            "rotate_form": RotateForm(auto_id="rotate_%s"),
            "may_use_oauth": client is not None
            and any(scope in client.scopes for scope in OAUTH_SCOPES),
        }
        context = tokens | (extra_context or {})
        return super().change_view(request, object_id, form_url, context)


def _with_state(client: ApiClient) -> list[dict[str, Any]]:
    """The client's latest tokens, each with the word for what it is worth now."""
    usable = set(client.tokens.usable(timezone.now()).values_list("pk", flat=True))
    return [
        {"it": token, "is_usable": token.pk in usable, **_state(client, token, usable)}
        for token in client.tokens.all()[:TOKENS_SHOWN]
    ]


def _state(client: ApiClient, token: ApiToken, usable: set[int]) -> dict[str, str]:
    if token.revoked_at:
        return {"state": "cancelled", "word": "revoked"}
    if token.pk in usable:
        return {"state": "active", "word": "valid"}
    if client.is_active:
        return {"state": "expired", "word": "ended"}
    return {"state": "resting", "word": "at rest"}
