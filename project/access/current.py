"""Which tenant a signed-in person works in, and who an actor is for the audit trail."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from project.access.audit import Actor
from project.access.models import Tenant, User

SESSION_KEY = "tenant"


def tenant_of(request: HttpRequest) -> Tenant:
    """Return the tenant of this request's person.

    A person belongs to one. A superuser without one works in the tenant chosen in the header,
    at first in the oldest. Raises PermissionDenied when nobody is signed in or no tenant exists.
    """
    known: Tenant | None = getattr(request, "_carillon_tenant", None)
    if known is None:
        known = _find(request)
        request._carillon_tenant = known  # type: ignore[attr-defined]
    return known


def _find(request: HttpRequest) -> Tenant:
    user = request.user
    if not isinstance(user, User):
        raise PermissionDenied("Sign in first.")
    if user.tenant is not None:
        return user.tenant
    chosen = Tenant.objects.filter(pk=request.session.get(SESSION_KEY, 0)).first()
    tenant = chosen or Tenant.objects.order_by("pk").first()
    if tenant is None:
        raise PermissionDenied("There is no tenant yet; add one first.")
    return tenant


def actor_of(request: HttpRequest) -> Actor:
    """Return the signed-in person as an actor; raises PermissionDenied when there is none."""
    if not isinstance(request.user, User):
        raise PermissionDenied("Sign in first.")
    return Actor.user(request.user, request.META.get("REMOTE_ADDR"))
