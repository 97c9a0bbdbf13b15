"""The tenant menu of the top bar."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from project.access.current import SESSION_KEY
from project.access.models import Tenant, User


def may_switch(request: HttpRequest) -> bool:
    """Whether this person chooses the tenant: the installation's superusers, who have none."""
    user = request.user
    return isinstance(user, User) and user.is_superuser and user.tenant_id is None


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
