"""What is done to a channel besides changing its form: rest, resume, check, rotate, delete."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from channels_app import channel_services as services
from channels_app.admin.public_keys import public_keys
from channels_app.channel_check import check_connection
from channels_app.connectors.base import connector_for
from channels_app.forms import RotateForm
from channels_app.models import Channel
from channels_app.secrets import SecretsUnreadable
from project.access.current import actor_of
from project.tenant_admin import TenantAdmin

UNREADABLE = (
    "The stored secrets do not open with this installation's keys, so its deliveries wait. "
    "Ask the operator for the missing key, or give it new secrets."
)


class ChannelDeeds(TenantAdmin[Channel]):
    def get_urls(self) -> list[URLPattern]:
        deeds: list[tuple[str, Callable[..., HttpResponseBase]]] = [
            ("rest", require_POST(self._rest)),
            ("resume", require_POST(self._resume)),
            ("try", require_POST(self._try)),
            ("check", require_POST(self._check)),
            ("rotate", self._rotate),
            ("end-overlap", require_POST(self._end_overlap)),
            ("public-key", require_safe(self._public_key)),
        ]
        return [
            *(
                path(
                    f"<path:object_id>/{name}/",
                    self.admin_site.admin_view(never_cache(view)),
                    name=f"channels_app_channel_{name}",
                )
                for name, view in deeds
            ),
            *super().get_urls(),
        ]

    def _rest(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._turn(request, object_id, active=False)

    def _resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._turn(request, object_id, active=True)

    def _turn(self, request: HttpRequest, object_id: str, *, active: bool) -> HttpResponse:
        channel = self._mine(request, object_id)
        if channel is None:
            return self._gone(request, object_id)
        services.set_active(channel, active=active, by=actor_of(request))
        words = "delivers again" if active else "rests. Its deliveries wait, and expire as planned"
        messages.success(request, f"{channel} {words}.")
        return redirect(self._url(channel))

    def _try(self, request: HttpRequest, object_id: str) -> HttpResponse:
        channel = self._mine(request, object_id)
        if channel is None:
            return self._gone(request, object_id)
        if services.try_paused(channel, by=actor_of(request)):
            messages.success(
                request,
                f"{channel} tries one message now. Once it is answered, the channel goes on.",
            )
        else:
            messages.info(request, f"{channel} is not paused any more.")
        return redirect(self._url(channel))

    def _check(self, request: HttpRequest, object_id: str) -> HttpResponse:
        channel = self._mine(request, object_id)
        if channel is None:
            return self._gone(request, object_id)
        try:
            found = check_connection(channel, by=actor_of(request))
        except SecretsUnreadable:
            messages.error(request, UNREADABLE)
        else:
            add = messages.success if found.ok else messages.error
            add(request, found.words)
        return redirect(self._url(channel))

    def _rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        channel = self._mine(request, object_id)
        if channel is None:
            return self._gone(request, object_id)
        generated = services.generated(channel)
        if not generated:
            return redirect(self._url(channel))
        overlaps = any(setting.overlaps for setting in generated)
        form = RotateForm(request.POST or None) if overlaps else None
        if form is not None and generated[0].kind == "key":
            form.fields["overlap"].label = "The old key signs on for"
        if request.method == "POST" and (form is None or form.is_valid()):
            overlap = timedelta(hours=form.cleaned_data["overlap"]) if form else timedelta()
            issued = services.rotate(channel, by=actor_of(request), overlap=overlap)
            if issued:
                return self._show_once(request, channel, issued)
            messages.success(request, f"{channel} has a new {generated[0].label.lower()}.")
            return redirect(self._url(channel))
        return self._page(
            request, "rotate", title=str(channel), channel=channel, generated=generated, form=form
        )

    def _end_overlap(self, request: HttpRequest, object_id: str) -> HttpResponse:
        channel = self._mine(request, object_id)
        if channel is None:
            return self._gone(request, object_id)
        try:
            ended = services.end_overlap(channel, by=actor_of(request))
        except SecretsUnreadable:
            messages.error(request, UNREADABLE)
        else:
            words = "to the new one" if ended else "already"
            add = messages.success if ended else messages.info
            add(request, f"{channel} has changed over {words}.")
        return redirect(self._url(channel))

    def _public_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Download one of the public keys, the one that signs where none is named."""
        channel = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, channel):
            raise PermissionDenied
        if channel is None:
            return self._gone(request, object_id)
        asked = request.GET.get("key", "")
        try:
            keys = [key for key in public_keys(channel) if asked in {"", key.key_id}]
        except SecretsUnreadable as error:
            raise Http404(UNREADABLE) from error
        if not keys:
            raise Http404("There is no such key.")
        name = f"carillon-{channel.short_id}-{keys[0].key_id[:8]}.pem"
        return HttpResponse(
            keys[0].pem,
            content_type="application/x-pem-file",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        channel = self.get_object(request, unquote(object_id))
        # Asked before Django's page would list all that is in the way, a row each.
        may = self.has_delete_permission(request, channel)
        if channel is not None and may and channel.deliveries.exists():
            messages.error(request, _stays(channel, "Its deliveries are in the log"))
            return redirect(self._url(channel))
        try:
            return super().delete_view(request, object_id, extra_context)
        except services.ChannelInUse as error:
            messages.error(request, _stays(channel, str(error)))
            return redirect(self._url(channel) if channel else "..")

    def delete_model(self, request: HttpRequest, obj: Channel) -> None:
        services.delete_channel(obj, by=actor_of(request))

    # --- small things -----------------------------------------------------------------------------

    def _mine(self, request: HttpRequest, object_id: str) -> Channel | None:
        """Return the tenant's channel that this person may change; None when there is none."""
        channel = self.get_object(request, unquote(object_id))
        if not self.has_change_permission(request, channel):
            raise PermissionDenied
        return channel

    def _gone(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]

    def _url(self, channel: Channel) -> str:
        return reverse("admin:channels_app_channel_change", args=[channel.pk])

    def _page(self, request: HttpRequest, name: str, **context: Any) -> HttpResponse:
        return TemplateResponse(
            request,
            f"admin/channels_app/channel/{name}.html",
            {**self.admin_site.each_context(request), "opts": self.opts, **context},
            headers={"Cache-Control": "no-store, private"},
        )

    def _show_once(
        self, request: HttpRequest, channel: Channel, issued: dict[str, str]
    ) -> HttpResponse:
        """Show new secrets in the answer itself: no cookie or session ever holds them."""
        labels = {s.name: s.label for s in connector_for(channel.kind).settings}
        return self._page(
            request,
            "secret",
            title=str(channel),
            channel=channel,
            issued=[(labels[name], value) for name, value in issued.items()],
        )


def _stays(channel: Channel | None, why: str) -> str:
    return f"{channel} can't be deleted. {why.rstrip('.')}. Let it rest instead."
