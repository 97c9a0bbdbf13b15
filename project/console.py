"""The parts of the shell that answer by themselves: the pulse in the top bar, the tenant menu."""

from datetime import timedelta

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from django_q.models import Schedule

from channels_app.models import Tally
from project.access.current import SESSION_KEY, tenant_of
from project.access.models import Tenant, User

STOP_POLLING = 286  # htmx's own status: swap this in and ask no more
# django-q2's clock ticks about every 30 s and moves each schedule on; one that stands still
# this long tells that no worker runs.
CLOCK_STALLS_AFTER = timedelta(minutes=3)


def may_switch(request: HttpRequest) -> bool:
    """Whether this person chooses the tenant: the installation's superusers, who have none."""
    user = request.user
    return isinstance(user, User) and user.is_superuser and user.tenant_id is None


@require_GET
@never_cache
def pulse(request: HttpRequest) -> HttpResponse:
    """Say how many deliveries wait, and whether anyone delivers them."""
    if not admin.site.has_permission(request):
        return render(request, "admin/pulse.html", {"signed_out": True}, status=STOP_POLLING)
    try:
        url = reverse("admin:channels_app_delivery_changelist")
    except NoReverseMatch:
        url = reverse("admin:index")
    context = {
        "waiting": Tally.objects.waiting(tenant_of(request)),
        "at_work": at_work(),
        "url": url,
    }
    return render(request, "admin/pulse.html", context)


def at_work() -> bool:
    """Whether a worker moved the clock on lately."""
    since = timezone.now() - CLOCK_STALLS_AFTER
    moved_on: bool = Schedule.objects.filter(next_run__gte=since).exists()
    return moved_on


@require_POST
def switch_tenant(request: HttpRequest) -> HttpResponse:
    """Work in another tenant from now on."""
    choice = request.POST.get("tenant", "")
    chosen = (
        Tenant.objects.filter(pk=choice).first()
        if may_switch(request) and choice.isdecimal() and len(choice) < 19
        else None
    )
    if chosen is None:
        messages.error(request, "You can't work in that tenant.")
    else:
        request.session[SESSION_KEY] = chosen.pk
    return redirect("admin:index")
