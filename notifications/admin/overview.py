"""Notifications on the console's first page. Every query is bounded; no delivery is counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from channels_app.models import State, Tally
from notifications.models import ORIGIN, Notification, Stage
from notifications.progress import Progress
from project.access.models import Tenant
from project.overview import shown_first

FEW, LAST, LOOKED_AT = 5, 8, 100
RECENT = timedelta(days=1)
MISSED = (State.FAILED, State.EXPIRED)


@dataclass(frozen=True)
class Line(Progress):
    """A notification and how far it is."""

    @property
    def done(self) -> int:
        """How many are not waiting any more, whatever became of them."""
        return self.tally.total - self.tally.open

    @property
    def missed(self) -> int:
        return sum(self.tally.states[state] for state in MISSED)

    @property
    def is_recent(self) -> bool:
        started = self.notification.started_at
        return started is not None and started >= self.now - RECENT


@shown_first
def overview(tenant: Tenant, request: HttpRequest) -> dict[str, Any]:
    """Return what is under way, to approve, coming, last, and what missed its people."""
    if not request.user.has_perm("notifications.view_notification"):
        return {}
    of_tenant = Notification.objects.of(tenant)
    sending = list(of_tenant.sending().order_by("-pk")[:FEW])
    lines = _lines([*sending, *of_tenant.order_by("-pk")[:LOOKED_AT]])
    latest = lines[len(sending) :]
    return {
        "sending": lines[: len(sending)],
        "to_approve": of_tenant.filter(stage=Stage.SUBMITTED).order_by("submitted_at")[:FEW],
        "coming": of_tenant.filter(stage=Stage.SCHEDULED).order_by("due_at")[:FEW],
        "latest": latest[:LAST],
        "missed": [line for line in latest if line.missed and line.is_recent][:FEW],
    }


def _lines(notifications: Sequence[Notification]) -> list[Line]:
    now = timezone.now()
    pks = {notification.pk for notification in notifications}
    tallies = Tally.objects.filter(origin_kind=ORIGIN, origin_id__in=pks)
    books = {tally.origin_id: tally for tally in tallies}
    return [Line(each, books.get(each.pk, Tally()), now) for each in notifications]
