"""The channels' pages."""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, ForeignKey, OuterRef, Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters

from channels_app import channel_services as services
from channels_app.admin.channel_deeds import UNREADABLE, ChannelDeeds
from channels_app.admin.client_facts import client_facts
from channels_app.admin.public_keys import public_keys
from channels_app.admin.standing import badge, pause_in_words
from channels_app.connectors.base import connector_for
from channels_app.forms import ChannelForm, channel_form, field_name
from channels_app.models import Channel, Delivery
from channels_app.models.channel import FOR_PEOPLE, Kind
from channels_app.secrets import SecretsUnreadable
from project.access.current import actor_of, tenant_of
from project.access.models import User

KINDS = {
    Kind.CHAT: "A chat window in the browser for each person, built in.",
    Kind.EMAIL: "E-mail over the installation's mail server.",
    Kind.WEBHOOK: "Signed JSON posted to a system of yours.",
    Kind.LUMA: "Handed to a Luma installation, which speaks to its users.",
    Kind.ALVARIA: "A session on an Alvaria for each person; what its agents answer comes back.",
    Kind.ALVARIA_CALLBACK: "Tells a system that calls Carillon as it would Alvaria what happens in "
    "its sessions.",
}


@admin.register(Channel)
class ChannelAdmin(ChannelDeeds):
    list_display = ("name", "kind", "standing", "in_use")
    list_filter = ("kind", "is_active")
    search_fields = ("name", "external_id")
    actions = None
    change_form_template = "admin/channels_app/channel/change_form.html"

    # --- the list ---------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        used = Delivery.objects.filter(channel=OuterRef("pk"))
        return super().get_queryset(request).select_related("tenant").annotate(used=Exists(used))

    @admin.display(description="state", ordering="is_active")
    def standing(self, channel: Channel) -> SafeString:
        state = badge(channel)
        if channel.is_default:
            state = format_html('{} <span class="chip">{}</span>', state, "default")
        if channel.is_paused:
            words = pause_in_words(channel, timezone.now())
            state = format_html('{}<div class="quiet channel-why">{}</div>', state, words)
        return state

    @admin.display(description="in use", ordering="used")
    def in_use(self, channel: Channel) -> str:
        """Whether the log has a delivery over it; then it can rest, but not go."""
        return "yes" if getattr(channel, "used", False) else "no"

    # --- the form ---------------------------------------------------------------------------------

    def get_form(
        self, request: HttpRequest, obj: Channel | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm[Channel]]:
        kwargs["form"] = channel_form(obj.kind if obj else request.GET.get("kind", ""))
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Channel | None = None) -> Any:
        kind = obj.kind if obj else request.GET.get("kind", "")
        declared = [field_name(setting) for setting in channel_form(kind).declared]
        if obj and not self.has_change_permission(request, obj):
            declared = ["shown_settings"]
        reaches_people = Kind(kind) in FOR_PEOPLE
        first = ["name", "is_default"] if reaches_people else ["name"]
        parts: list[tuple[str | None, dict[str, Any]]] = [
            (None, {"fields": [*first, *(["is_active"] if not obj else [])]}),
            (str(Kind(kind).label), {"fields": declared}),
            ("Callers", {"fields": ["external_id" if reaches_people else "client"]}),
            ("Limits", {"fields": [("lifetime", "max_in_flight", "rate_limit")]}),
            ("When it fails", {"fields": ["owner"]}),
        ]
        return [(title, options) for title, options in parts if options["fields"]]

    def get_readonly_fields(self, request: HttpRequest, obj: Channel | None = None) -> Any:
        return ("shown_settings",) if obj and not self.has_change_permission(request, obj) else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().get_changeform_initial_data(request), "owner": request.user.pk}

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "owner":
            # An installation's superuser belongs to no tenant, but may answer for what they made.
            theirs = Q(tenant=tenant_of(request)) | Q(pk=request.user.pk)
            kwargs["queryset"] = User.objects.filter(theirs).order_by("username")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name in {"owner", "client"} and field is not None:  # chosen here, not made
            field.widget = field.widget.widget
        return field

    @admin.display(description="settings")
    def shown_settings(self, channel: Channel) -> SafeString:
        """For those who may look only: secrets are named, never shown."""
        rows = [
            (s.label, "kept, not shown" if s.secret else channel.setting(s.name) or "not set")
            for s in connector_for(channel.kind).settings
        ]
        return format_html(
            '<dl class="facts">{}</dl>', format_html_join("", "<dt>{}</dt><dd>{}</dd>", rows)
        )

    @method_decorator(sensitive_post_parameters())
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        if object_id is None and request.GET.get("kind") not in KINDS:
            return self._choose_kind(request)
        context = {
            "show_save_and_add_another": False,
            "show_save_and_continue": False,
            **self._standing(request, object_id),
            **(extra_context or {}),
        }
        return super().changeform_view(request, object_id, form_url, context)

    def _choose_kind(self, request: HttpRequest) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        kinds = [(kind.value, kind.label, words) for kind, words in KINDS.items()]
        return self._page(request, "choose_kind", title="Add channel", kinds=kinds)

    def _standing(self, request: HttpRequest, object_id: str | None) -> dict[str, Any]:
        """What the change page says and offers beside the form."""
        if object_id is None:
            return {"title": f"Add {Kind(request.GET['kind']).label} channel"}
        channel = self.get_object(request, unquote(object_id))
        if channel is None:
            return {}
        connector = connector_for(channel.kind)
        try:
            overlap_ends, unreadable = services.overlap_ends(channel), ""
        except SecretsUnreadable:
            overlap_ends, unreadable = None, UNREADABLE
        return {
            "subtitle": None,
            "channel": channel,
            "badge": badge(channel),
            "paused": pause_in_words(channel, timezone.now()),
            "can_change_channel": self.has_change_permission(request, channel),
            "can_check": connector.can_be_checked,
            "rotates": services.generated(channel),
            "overlap_ends": overlap_ends,
            "unreadable": unreadable,
            "public_keys": [] if unreadable else public_keys(channel),
            "key_set": self._key_set(channel),
            **client_facts(channel, timezone.now()),
        }

    @staticmethod
    def _key_set(channel: Channel) -> str:
        return f"{settings.BASE_URL}{reverse('key-set', args=[channel.public_id])}"

    # --- what is saved ----------------------------------------------------------------------------

    def save_model(
        self, request: HttpRequest, obj: Channel, form: ChannelForm, change: bool
    ) -> None:
        by = actor_of(request)
        if change:
            services.change_channel(obj, by=by, secrets=form.secrets, changed=form.changed_data)
        else:
            request._issued = services.create_channel(  # type: ignore[attr-defined]
                obj, by=by, secrets=form.secrets
            )

    def response_add(
        self, request: HttpRequest, obj: Channel, post_url_continue: str | None = None
    ) -> HttpResponse:
        issued = getattr(request, "_issued", {})
        if issued:
            return self._show_once(request, obj, issued)
        messages.success(request, f"{obj} was added.")
        return redirect(self._url(obj))
