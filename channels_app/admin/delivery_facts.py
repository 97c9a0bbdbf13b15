"""What a delivery's page says besides the delivery: where it leads, what people did to it."""

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from channels_app.log.filters import NOTIFICATION
from channels_app.log.words import Clock
from channels_app.models import Delivery, Session
from channels_app.models.session import ORIGIN as SESSION
from channels_app.operations import REPLAY
from project.access.models import AuditEntry


def admin_url(request: HttpRequest, app: str, model: str, pk: int) -> str:
    """The admin page of a row, by name: this floor does not know those above it."""
    if not pk or not request.user.has_perm(f"{app}.view_{model}"):
        return ""
    try:
        return reverse(f"admin:{app}_{model}_change", args=[pk])
    except NoReverseMatch:
        return ""


def origin_of(request: HttpRequest, delivery: Delivery) -> dict[str, str]:
    kind, pk = delivery.origin_kind, delivery.origin_id
    if kind == REPLAY:
        url = admin_url(request, "channels_app", "delivery", pk)
        return {"words": f"Replay of delivery {pk}", "url": url}
    if kind == SESSION:
        session = Session.objects.filter(tenant=delivery.tenant_id, pk=pk).first()
        url = admin_url(request, "channels_app", "session", pk) if session else ""
        return {"words": str(session or f"Session {pk}"), "url": url}
    if kind != NOTIFICATION:
        return {"words": f"{kind.capitalize()} {pk}"}
    url = admin_url(request, "notifications", "notification", pk)
    return {"words": f"Notification {pk}", "url": url, "notification": str(pk)}


def trail_of(request: HttpRequest, delivery: Delivery, clock: Clock) -> list[dict[str, str]]:
    """What people did to this delivery, for those who may read the audit trail."""
    if not request.user.has_perm("access.view_auditentry"):
        return []
    entries = AuditEntry.objects.filter(target_kind="delivery", target_id=str(delivery.pk))
    return [
        {
            "when": clock.when(entry.at),
            "who": entry.actor_name,
            "what": entry.action.removeprefix("delivery."),
        }
        for entry in entries.order_by("-pk")[:50]
    ]
