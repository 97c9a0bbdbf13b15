"""The notifications' pages: the list, composing, and what became of each."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from channels_app.models import Tally
from notifications.audience import Audience, role_names
from notifications.models import ORIGIN, Notification
from notifications.pages.story import stage_word
from notifications.views import audience, compose, follow
from notifications.views.common import notification_of
from project.access.current import tenant_of
from project.keyset import KeysetChangeList
from project.tenant_admin import TenantAdmin


class NotificationList(KeysetChangeList):
    """Adds to the rows of a page, in two queries, what their columns say."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Notification] = list(self.result_list)
        tallies = Tally.objects.filter(origin_kind=ORIGIN, origin_id__in=[row.pk for row in rows])
        books = {tally.origin_id: tally for tally in tallies}
        tenant = tenant_of(request)
        roles = role_names(tenant)
        for row in rows:
            described = Audience.from_json(row.audience).describe(tenant, roles)
            row.in_words = described  # type: ignore[attr-defined]
            row.books = books.get(row.pk)  # type: ignore[attr-defined]
        self.result_list = rows


@admin.register(Notification)
class NotificationAdmin(TenantAdmin[Notification]):
    list_display = ("name", "standing", "audience_words", "people", "over", "at", "by")
    list_filter = ("stage",)
    list_per_page = 50
    search_fields = ("title",)
    search_help_text = "Title"
    list_select_related = ("channel",)
    actions = None
    change_list_template = "admin/notifications/notification/list.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[NotificationList]:
        return NotificationList

    def has_delete_permission(self, request: HttpRequest, obj: Notification | None = None) -> bool:
        return False

    # --- the list's columns -----------------------------------------------------------------------

    @admin.display(description="title")
    def name(self, row: Notification) -> str:
        return str(row)

    @admin.display(description="stage")
    def standing(self, row: Notification) -> SafeString:
        return format_html('<span class="state state-{}">{}</span>', row.stage, stage_word(row))

    @admin.display(description="who")
    def audience_words(self, row: Notification) -> str:
        return str(getattr(row, "in_words", ""))

    @admin.display(description="people", empty_value="")
    def people(self, row: Notification) -> str | None:
        tally: Tally | None = getattr(row, "books", None)
        number = tally.total if tally else row.approved_count
        return None if number is None else f"{number:,}"

    @admin.display(description="channel")
    def over(self, row: Notification) -> str:
        return str(row.channel) if row.channel else "Last used"

    @admin.display(description="when")
    def at(self, row: Notification) -> Any:
        return row.started_at or row.due_at or row.send_at or row.created_at

    @admin.display(description="by")
    def by(self, row: Notification) -> str:
        return row.composed_by

    # --- the pages --------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        routes: list[tuple[str, Any, str]] = [
            ("compose/audience/", compose.audience_parts, "compose_audience"),
            ("compose/message/", compose.message_parts, "compose_message"),
            ("compose/found/", compose.people_found, "compose_found"),
            ("compose/people/", audience.people_of_form, "compose_people"),
            ("<int:pk>/people/", audience.people_of_notification, "people"),
            ("<int:pk>/progress/", follow.progress_part, "progress"),
            ("<int:pk>/do/<slug:name>/", follow.deed, "do"),
        ]
        wrap = self.admin_site.admin_view
        own = [
            path(route, wrap(view), name=f"notifications_notification_{name}")
            for route, view, name in routes
        ]
        return [*own, *super().get_urls()]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return compose.compose_new(request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """A draft is composed on; anything later is followed, at the same address.

        What is posted goes to the compose form always: it says who was faster, and loses nothing.
        """
        notification = notification_of(request, object_id)
        if request.method == "POST" or compose.is_editable(notification, request):
            return compose.compose_draft(request, object_id)
        return follow.follow(request, object_id)
