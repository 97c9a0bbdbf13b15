"""The delivery log: its list, a delivery's page, the operators' deeds, the export."""

import json
import re
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    QueryDict,
    StreamingHttpResponse,
)
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from channels_app.admin.deeds import DEEDS, Prospect, tell
from channels_app.admin.delivery_facts import admin_url, origin_of, trail_of
from channels_app.log.export import export
from channels_app.log.filters import LogForm
from channels_app.log.pages import Message, in_words, lines, standing
from channels_app.log.paging import BIGINT_MAX, NEWEST
from channels_app.log.timeline import lay_out
from channels_app.log.words import Clock, outcome, took
from channels_app.models import Delivery
from channels_app.operations import AT_ONCE, do_to_many, replays_of
from project.access.current import actor_of, tenant_of
from project.access.models import Tenant
from project.tenant_admin import ReadOnlyAdmin

PAGE = 50
LONGEST_LINK = 2000  # characters
OPERATE = "channels_app.operate_delivery"
EXPORT = "channels_app.export_delivery"
HERE = "admin/channels_app/delivery"

_NUMBER = re.compile(r"[0-9]{1,19}")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin[Delivery]):
    """Own views instead of the admin's: its list counts all rows and pages by OFFSET."""

    def get_urls(self) -> list[URLPattern]:
        views: dict[str, tuple[Callable[..., HttpResponseBase], str]] = {
            "": (self.changelist_view, "changelist"),
            "export/": (self.export_view, "export"),
            "operate/": (self.operate_view, "operate"),
            "<str:object_id>/change/": (self.change_view, "change"),
        }
        return [
            path(route, self.admin_site.admin_view(view), name=f"channels_app_delivery_{name}")
            for route, (view, name) in views.items()
        ]

    @method_decorator(require_safe)
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        tenant = self._tenant(request)
        return self._list(request, tenant, LogForm(request.GET, tenant=tenant))

    def _list(
        self, request: HttpRequest, tenant: Tenant, form: LogForm, status: int = 200
    ) -> HttpResponse:
        clock = Clock(timezone.now(), tenant.zone)
        context: dict[str, Any] = {"form": form, "title": "Delivery log"}
        if form.shows_something:
            chosen = form.chosen
            books = chosen.books(tenant)
            page = chosen.listing(tenant, books).page(form.place, PAGE)
            context |= {
                "chosen": chosen,
                "page": page,
                "lines": lines(page.rows, clock),
                "words": in_words(chosen, clock),
                "is_newest": form.place == NEWEST,
                "books": books,
            }
        return self._render(request, tenant, "change_list.html", context, status)

    @method_decorator(require_safe)
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        tenant = self._tenant(request)
        delivery = self._found(tenant, object_id)
        clock = Clock(timezone.now(), tenant.zone)
        attempts = list(delivery.attempts.order_by("number"))
        context = {
            "title": f"Delivery {delivery.pk}",
            "delivery": delivery,
            "standing": standing(delivery, clock),
            "line": lay_out(delivery, attempts, clock),
            "attempts": [
                {
                    "row": attempt,
                    "when": clock.when(attempt.started_at, exact=True),
                    "took": took(attempt.duration),
                    "outcome": outcome(attempt),
                    "next": clock.when(attempt.next_at) if attempt.next_at else "",
                }
                for attempt in reversed(attempts)
            ],
            "message": Message.of(delivery.payload),
            "raw": json.dumps(delivery.payload, indent=2, ensure_ascii=False),
            "times": {
                name: clock.full(moment)
                for name in ("created_at", "deadline", "settled_at")
                if (moment := getattr(delivery, name))
            },
            "origin": origin_of(request, delivery),
            "recipient_url": admin_url(
                request, "notifications", "recipient", delivery.recipient_id or 0
            ),
            "channel_url": admin_url(request, "channels_app", "channel", delivery.channel_id),
            "replays": replays_of(delivery),
            "deeds": [deed for deed in DEEDS.values() if not deed.problem(delivery, clock.now)],
            "trail": trail_of(request, delivery, clock),
        }
        return self._render(request, tenant, "change_form.html", context)

    @method_decorator(require_POST)
    def operate_view(self, request: HttpRequest) -> HttpResponse:
        """Do a deed to the deliveries that were ticked, after its words were confirmed."""
        tenant = self._tenant(request)
        if not request.user.has_perm(OPERATE):
            raise PermissionDenied
        back = _back(request)
        deed = DEEDS.get(request.POST.get("deed", ""))
        numbers = request.POST.getlist("delivery")
        problem = ""
        if deed is None:
            problem = "Choose what to do."
        elif not numbers:
            problem = "Tick the deliveries first."
        elif len(numbers) > AT_ONCE:
            problem = f"Tick {AT_ONCE} deliveries at most."
        elif not all(_NUMBER.fullmatch(number) and int(number) <= BIGINT_MAX for number in numbers):
            problem = "That is not a delivery's number."
        if problem or deed is None:
            messages.error(request, problem)
            return back
        pks = {int(number) for number in numbers}
        deliveries = list(Delivery.objects.of(tenant).filter(pk__in=pks).order_by("pk"))
        if not deliveries:
            raise Http404("These deliveries are not in this log.")
        one = deliveries[0] if len(pks) == 1 else None
        if request.POST.get("confirmed") != "yes" and (deed.asks or not one):
            prospect = Prospect.of(deed, deliveries, timezone.now())
            context = {
                "title": f"{deed.verb} delivery {one.pk}?"
                if one
                else f"{deed.verb} {len(pks):,} deliveries?",
                "deed": deed,
                "one": one,
                "prospect": prospect,
                "deliveries": deliveries,
                "back": back.url,
            }
            return self._render(request, tenant, "confirm.html", context)
        result = do_to_many(deed.name, pks, tenant=tenant, by=actor_of(request))
        tell(request, deed, result, one)
        return back

    @method_decorator(require_safe)
    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        tenant = self._tenant(request)
        if not request.user.has_perm(EXPORT):
            raise PermissionDenied
        asked = QueryDict(mutable=True)
        asked.update(request.GET)
        asked.pop("at", None)  # the page being looked at does not narrow the export
        form = LogForm(asked, tenant=tenant)
        if not form.is_valid():
            return self._list(request, tenant, form, status=400)
        content = export(form.chosen, tenant=tenant, by=actor_of(request), bom=True)
        today = timezone.now().astimezone(tenant.zone).date()
        return StreamingHttpResponse(
            content,
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="delivery-log-{today}.csv"'},
        )

    def _tenant(self, request: HttpRequest) -> Tenant:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return tenant_of(request)

    @staticmethod
    def _found(tenant: Tenant, number: str) -> Delivery:
        rows = Delivery.objects.of(tenant).select_related("channel")
        found = rows.filter(pk=int(number)).first() if _NUMBER.fullmatch(number) else None
        if found is None:
            raise Http404("There is no such delivery in this log.")
        return found

    def _render(
        self,
        request: HttpRequest,
        tenant: Tenant,
        template: str,
        context: dict[str, Any],
        status: int = 200,
    ) -> HttpResponse:
        common = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "zone": tenant.time_zone,
            "may_operate": request.user.has_perm(OPERATE),
            "may_export": request.user.has_perm(EXPORT),
            "all_deeds": DEEDS.values(),
        }
        return TemplateResponse(request, f"{HERE}/{template}", common | context, status=status)


def _back(request: HttpRequest) -> HttpResponseRedirect:
    """To where the deed was asked for, if that is a page of this console; else to the list."""
    asked = request.POST.get("back", "")
    if len(asked) <= LONGEST_LINK and url_has_allowed_host_and_scheme(asked, allowed_hosts=None):
        return HttpResponseRedirect(asked)
    return redirect("admin:channels_app_delivery_changelist")
