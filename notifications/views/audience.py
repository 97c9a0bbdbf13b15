"""Who is meant, person by person, and who of them gets nothing and why."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST, require_safe

from channels_app.models import Channel
from notifications.audience import Audience, left_out
from notifications.forms.compose import ComposeForm
from notifications.models import Recipient
from notifications.views.common import key_of, needs, notification_of, page, who
from project.access.models import Tenant

PAGE = 100  # people at once

LEFT_OUT = "left_out"


@require_POST
@needs("view_notification")
def people_of_form(request: HttpRequest) -> HttpResponse:
    """List the people of a form that is not kept yet; the form travels along from page to page."""
    tenant, _ = who(request)
    form = ComposeForm(request.POST, tenant=tenant)
    form.is_valid()
    only_left_out = request.POST.get("show") == LEFT_OUT
    listed = _listed(
        tenant,
        form.audience,
        form.cleaned_data.get("channel"),
        only_left_out=only_left_out,
        after=key_of(request.POST.get("after")),
    )
    names = ("everyone", "contacts", "roles", "narrow", "channel", "show")
    carried = [(name, value) for name in names for value in request.POST.getlist(name)]
    return page(request, "people.html", {**listed, "carried": carried})


@require_safe
@needs("view_notification")
def people_of_notification(request: HttpRequest, pk: int) -> HttpResponse:
    """List whom a kept notification would reach if it left now."""
    notification = notification_of(request, pk)
    listed = _listed(
        notification.tenant,
        Audience.from_json(notification.audience),
        notification.channel,
        only_left_out=request.GET.get("show") == LEFT_OUT,
        after=key_of(request.GET.get("after")),
    )
    return page(request, "people.html", {**listed, "notification": notification})


def _listed(
    tenant: Tenant, audience: Audience, channel: Channel | None, *, only_left_out: bool, after: int
) -> dict[str, Any]:
    people = left_out(tenant, audience, channel) if only_left_out else audience.recipients(tenant)
    found: list[Recipient] = list(people.filter(pk__gt=after).order_by("pk")[: PAGE + 1])
    return {
        "title": "Who gets nothing, and why" if only_left_out else "Who gets it",
        "words": audience.describe(tenant),
        "people": found[:PAGE],
        "next": found[PAGE - 1].pk if len(found) > PAGE else 0,
        "is_first": not after,
        "only_left_out": only_left_out,
        "channel": channel,
    }
