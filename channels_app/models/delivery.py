from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from channels_app.models.channel import Channel
from project.access.models import Tenant


class State(models.TextChoices):
    QUEUED = "queued", _("Queued")
    SENDING = "sending", _("Sending")
    SENT = "sent", _("Sent")  # the channel took it; arrival is not known
    DELIVERED = "delivered", _("Delivered")  # the far end confirmed
    FAILED = "failed", _("Failed")  # never will
    EXPIRED = "expired", _("Expired")  # its deadline passed
    CANCELLED = "cancelled", _("Cancelled")
    SUPPRESSED = "suppressed", _("Suppressed")  # consent or opt-out


OPEN = (State.QUEUED, State.SENDING)
CLOSED = tuple(state for state in State if state not in OPEN)


class Priority(models.IntegerChoices):
    URGENT = 0, _("Urgent")
    NORMAL = 5, _("Normal")
    BULK = 9, _("Bulk")


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def of(self, tenant: Tenant) -> Self:
        return self.filter(tenant=tenant)

    def of_origin(self, kind: str, pk: int) -> Self:
        return self.filter(origin_kind=kind, origin_id=pk)

    def due(self, now: datetime) -> Self:
        return self.filter(state=State.QUEUED, due_at__lte=now, deadline__gt=now)

    def first_tries(self) -> Self:
        return self.filter(attempt_count=0)

    def retries(self) -> Self:
        return self.filter(attempt_count__gt=0)

    def in_turn(self) -> Self:
        """Leave out what must wait for an earlier delivery with the same ordering key."""
        earlier = Delivery.objects.filter(
            channel=OuterRef("channel"),
            ordering_key=OuterRef("ordering_key"),
            state__in=OPEN,
            pk__lt=OuterRef("pk"),
        )
        return self.filter(Q(ordering_key="") | ~Exists(earlier))

    def stalled(self, now: datetime) -> Self:
        """Taken by a worker that is gone: its lease has ended."""
        return self.filter(state=State.SENDING, lease_until__lt=now)

    def overdue(self, now: datetime) -> Self:
        return self.filter(state=State.QUEUED, deadline__lte=now)

    def next_event(self) -> datetime | None:
        """When the engine has something to do next: a row falls due, or a lease ends.

        A moment in the past means now. Rows of resting channels do not count.
        """
        queued = self.filter(state=State.QUEUED, channel__is_active=True)
        due = queued.order_by("due_at").values_list("due_at", flat=True).first()
        lease = (
            self.filter(state=State.SENDING)
            .order_by("lease_until")
            .values_list("lease_until", flat=True)
            .first()
        )
        return min((moment for moment in (due, lease) if moment), default=None)

    def claim(
        self, limit: int, *, now: datetime, lease_until: datetime, holder: str
    ) -> list["Delivery"]:
        """Take up to ``limit`` of these rows for ``holder``; each row goes to one taker only.

        The attempt is counted here, before anything goes out, so that a row which kills its
        worker every time runs out of attempts. Call inside a transaction.
        """
        if limit <= 0:
            return []
        taken = list(
            self.order_by("priority", "due_at", "pk")
            .select_for_update(skip_locked=True, of=("self",))
            .values_list("pk", flat=True)[:limit]
        )
        if not taken:
            return []
        rows = Delivery.objects.filter(pk__in=taken, state=State.QUEUED)
        rows.update(
            state=State.SENDING,
            attempt_count=F("attempt_count") + 1,
            claimed_at=now,
            lease_until=lease_until,
            holder=holder,
        )
        return list(Delivery.objects.filter(pk__in=taken, holder=holder).order_by("priority", "pk"))


class Delivery(models.Model):
    """One message to one address over one channel. Its row is the truth.

    Each try to send it is an Attempt. It knows where it came from as ``origin_kind`` and
    ``origin_id``, and the person as plain values: the floors above are not imported here, and
    the log must still say who was meant once a person is gone.
    """

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="deliveries")
    channel = models.ForeignKey(Channel, models.PROTECT, related_name="deliveries")
    origin_kind = models.CharField(max_length=16)
    origin_id = models.BigIntegerField()
    recipient_id = models.BigIntegerField(null=True)
    recipient = models.CharField(max_length=254, help_text=_("The recipient's login."))
    address = models.CharField(max_length=254)
    payload = models.JSONField(
        help_text=_("What is sent, rendered: see notifications/text/content.py.")
    )
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    reason = models.CharField(
        max_length=200, blank=True, help_text=_("Why it ended as it did, or what the last try met.")
    )
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NORMAL)
    ordering_key = models.CharField(max_length=64, blank=True)
    due_at = models.DateTimeField(default=timezone.now)
    deadline = models.DateTimeField()
    attempt_count = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    holder = models.CharField(max_length=32, blank=True, editable=False)
    vendor_id = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = _("deliveries")
        ordering = ["-pk"]
        permissions = [
            ("operate_delivery", "Can retry, cancel and replay deliveries"),
            ("export_delivery", "Can export the delivery log"),
        ]
        constraints = [
            models.CheckConstraint(
                name="delivery_state_known", condition=Q(state__in=State.values)
            ),
            # An expansion that is run again adds nobody twice.
            models.UniqueConstraint(
                name="delivery_once", fields=["origin_kind", "origin_id", "recipient_id"]
            ),
            models.CheckConstraint(
                name="delivery_leased_while_sending",
                condition=Q(state=State.SENDING, lease_until__isnull=False)
                | (~Q(state=State.SENDING) & Q(lease_until__isnull=True)),
            ),
        ]
        indexes = [
            # Read by claims: first tries and retries apart, so that neither waits for the other.
            models.Index(
                name="delivery_first",
                fields=["channel", "priority", "due_at", "id"],
                condition=Q(state="queued", attempt_count=0),
            ),
            models.Index(
                name="delivery_retry",
                fields=["channel", "priority", "due_at", "id"],
                condition=Q(state="queued", attempt_count__gt=0),
            ),
            # Read by each drain: the next thing to become due, expired or stalled.
            models.Index(name="delivery_due", fields=["due_at"], condition=Q(state="queued")),
            models.Index(
                name="delivery_deadline", fields=["deadline"], condition=Q(state="queued")
            ),
            models.Index(
                name="delivery_lease", fields=["lease_until"], condition=Q(state="sending")
            ),
            # Read by the claim's ordering test.
            models.Index(
                name="delivery_order",
                fields=["channel", "ordering_key", "id"],
                condition=Q(state__in=["queued", "sending"]) & ~Q(ordering_key=""),
            ),
            # Read by the log, newest first, for each filter it offers, within any span of time.
            # They hold all of the log's order, or a filter would walk everyone else's newer rows.
            models.Index(name="delivery_log", fields=["tenant", "created_at", "id"]),
            models.Index(name="delivery_log_state", fields=["tenant", "state", "created_at", "id"]),
            models.Index(name="delivery_log_channel", fields=["channel", "created_at", "id"]),
            models.Index(
                name="delivery_log_person", fields=["tenant", "recipient", "created_at", "id"]
            ),
        ]

    def __str__(self) -> str:
        return f"Delivery {self.pk} to {self.recipient}"

    @property
    def public_id(self) -> str:
        """The id that the far end sees, the same over all tries (Standard Webhooks' webhook-id)."""
        return f"dlv_{self.channel.public_id.hex[:12]}_{self.pk}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN
