"""What the first page of the console says. Every query is bounded; no delivery is counted."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from channels_app.models import Channel, State, Tally
from notifications.models.notification import ORIGIN, Notification, Stage
from project.access.models import Tenant

FEW, LAST, LOOKED_AT = 5, 8, 100
BAR = 1000  # units of a progress bar's width
MISSED = (State.FAILED, State.EXPIRED)
# As the bar is read: what arrived, what is on its way, what did not; queued stays blank.
IN_TURN = (
    State.DELIVERED,
    State.SENT,
    State.SENDING,
    State.FAILED,
    State.EXPIRED,
    State.SUPPRESSED,
    State.CANCELLED,
)


@dataclass(frozen=True, slots=True)
class Part:
    """One state's stretch of a progress bar."""

    state: str
    x: int
    width: int
    number: int


@dataclass(frozen=True, slots=True)
class Line:
    """A notification and how far it is."""

    notification: Notification
    tally: Tally | None

    @property
    def total(self) -> int:
        return self.tally.total if self.tally else 0

    @property
    def settled(self) -> int:
        return self.tally.total - self.tally.open if self.tally else 0

    @property
    def missed(self) -> int:
        return sum(getattr(self.tally, state) for state in MISSED) if self.tally else 0

    @property
    def parts(self) -> list[Part]:
        return bar_parts(self.tally) if self.tally else []


def bar_parts(tally: Tally) -> list[Part]:
    """Lay the states side by side on a bar of BAR units."""
    parts, before = [], 0
    for state in IN_TURN:
        number = getattr(tally, state)
        if not number:
            continue
        x, end = BAR * before // tally.total, BAR * (before + number) // tally.total
        parts.append(Part(str(state), x, end - x, number))
        before += number
    return parts


def overview(tenant: Tenant, request: HttpRequest) -> dict[str, Any]:
    """Return what this person may see of: under way, to approve, coming, last, missed, at rest."""
    found: dict[str, Any] = {}
    if request.user.has_perm("notifications.view_notification"):
        found |= _notifications(tenant)
    if request.user.has_perm("channels_app.view_channel"):
        resting = Channel.objects.of(tenant).filter(is_active=False)
        found["resting"] = resting[:FEW]
    return found


def _notifications(tenant: Tenant) -> dict[str, Any]:
    of_tenant = Notification.objects.of(tenant)
    now = timezone.now()
    sending = list(of_tenant.sending().order_by("-pk")[:FEW])
    latest = list(of_tenant.order_by("-pk")[:LOOKED_AT])
    books = _books([*sending, *latest])
    lines = [Line(each, books.get(each.pk)) for each in latest]
    since = now - timedelta(days=1)
    return {
        "sending": [Line(each, books.get(each.pk)) for each in sending],
        "to_approve": of_tenant.filter(stage=Stage.SUBMITTED).order_by("submitted_at")[:FEW],
        "coming": of_tenant.filter(stage=Stage.SCHEDULED).order_by("due_at")[:FEW],
        "latest": lines[:LAST],
        "missed": [
            line
            for line in lines
            if line.missed and (started := line.notification.started_at) and started >= since
        ][:FEW],
    }


def _books(notifications: Iterable[Notification]) -> dict[int, Tally]:
    pks = {notification.pk for notification in notifications}
    tallies = Tally.objects.filter(origin_kind=ORIGIN, origin_id__in=pks)
    return {tally.origin_id: tally for tally in tallies}
