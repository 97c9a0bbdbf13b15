"""What vendors told us, as it came in: also what was not understood, and what belongs to nobody."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from channels_app.log.words import Clock
from channels_app.models import InboundEvent, InboundState
from project.access.current import tenant_of
from project.keyset import KeysetChangeList
from project.tenant_admin import ReadOnlyAdmin

COLOURS = {
    InboundState.PENDING: "queued",
    InboundState.PROCESSED: "delivered",
    InboundState.UNKNOWN: "unknown",
}


class StateFilter(admin.SimpleListFilter):
    title, parameter_name = "state", "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(state.value, str(state.label).lower()) for state in InboundState]

    def queryset(self, request: HttpRequest, queryset: QuerySet[InboundEvent]) -> Any:
        value = self.value()
        return queryset.filter(state=value) if value in InboundState.values else queryset


@admin.register(InboundEvent)
class InboundAdmin(ReadOnlyAdmin[InboundEvent]):
    tenant_path = "channel__tenant"
    list_display = ("came", "kind_shown", "channel", "standing", "session_link", "event_id")
    list_display_links = ("came",)
    list_filter = (StateFilter,)
    list_select_related = ("channel__tenant", "session")
    list_per_page = 50
    sortable_by = ()
    actions = None
    change_list_template = "admin/channels_app/inboundevent/change_list.html"
    fields = (
        *("came", "channel", "kind_shown", "event_id", "standing", "session_link"),
        *("processed_at", "content"),
    )
    readonly_fields = fields

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboundEvent]:
        rows = InboundEvent.objects.filter(channel__tenant=tenant_of(request))
        return rows.select_related("channel__tenant", "session")

    @admin.display(description="came in")
    def came(self, event: InboundEvent) -> str:
        clock = Clock(timezone.now(), event.channel.tenant.zone)
        return clock.when(event.received_at, exact=True)

    @admin.display(description="event")
    def kind_shown(self, event: InboundEvent) -> str:
        return event.kind or "not named"

    @admin.display(description="state")
    def standing(self, event: InboundEvent) -> SafeString:
        colour, word = COLOURS[InboundState(event.state)], event.get_state_display().lower()
        badge = format_html('<span class="state state-{}">{}</span>', colour, word)
        if not event.reason:
            return badge
        return format_html('{} <div class="quiet">{}</div>', badge, event.reason)

    @admin.display(description="session")
    def session_link(self, event: InboundEvent) -> SafeString | str:
        if event.session is None:
            return "none"
        url = reverse("admin:channels_app_session_change", args=[event.session.pk])
        return format_html('<a href="{}">{}</a>', url, event.session)

    @admin.display(description="as it came")
    def content(self, event: InboundEvent) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(event.body, indent=2, ensure_ascii=False))
