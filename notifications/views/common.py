"""What the views of notifications share."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from notifications.models import Notification
from project.access.current import tenant_of
from project.access.models import Tenant, User

TEMPLATES = "admin/notifications/notification/"
LARGEST_KEY = 2**63 - 1
View = TypeVar("View", bound=Callable[..., HttpResponse])


def needs(permission: str) -> Callable[[View], View]:
    """Answer 403 to who may not: they are signed in already."""
    return permission_required(f"notifications.{permission}", raise_exception=True)


def page(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """Draw a page inside the admin."""
    return render(
        request,
        TEMPLATES + template,
        {**admin.site.each_context(request), **context},
        status=status,
    )


def fragment(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    return render(request, TEMPLATES + template, context, status=status)


def who(request: HttpRequest) -> tuple[Tenant, User]:
    """The tenant that is worked in, and who works; nobody unknown comes past the admin's door."""
    tenant = tenant_of(request)
    if not isinstance(request.user, User):
        raise Http404
    return tenant, request.user


def notification_of(request: HttpRequest, pk: str | int) -> Notification:
    """Return a notification of the tenant that is worked in; raises Http404 for any other."""
    text = str(pk)
    # The length first: int() itself refuses thousands of digits.
    if not (text.isascii() and text.isdecimal() and len(text) < 20) or int(text) > LARGEST_KEY:
        raise Http404("There is no such notification.")
    rows = Notification.objects.of(tenant_of(request)).select_related(
        "tenant", "template__template", "channel", "series"
    )
    found = rows.filter(pk=int(text)).first()
    if found is None:
        raise Http404("There is no such notification.")
    return found


def key_of(text: str | None) -> int:
    """Read where a list goes on; 0, its beginning, for anything that is no key."""
    given = text or ""
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else 0
