"""The pulse in the console's top bar: what waits, and whether anyone delivers it."""

from datetime import timedelta

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from django_q.models import Schedule

from channels_app.models import Tally
from project.access.current import tenant_of

STOP_POLLING = 286  # htmx's own status: swap this in and ask no more
# django-q2's clock ticks about every 30 s and moves each schedule on; one that stands still
# this long tells that no worker runs.
CLOCK_STALLS_AFTER = timedelta(minutes=3)


@require_GET
@never_cache
def pulse(request: HttpRequest) -> HttpResponse:
    """Say how many deliveries wait, and whether anyone delivers them."""
    if not admin.site.has_permission(request):
        return render(request, "admin/pulse.html", {"signed_out": True}, status=STOP_POLLING)
    context = {"waiting": Tally.objects.waiting(tenant_of(request)), "at_work": at_work()}
    return render(request, "admin/pulse.html", context)


def at_work() -> bool:
    """Whether a worker moved the clock on lately."""
    since = timezone.now() - CLOCK_STALLS_AFTER
    moved_on: bool = Schedule.objects.filter(next_run__gte=since).exists()
    return moved_on
