from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, OuterRef, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from channels_app.models.channel import Channel, ChannelQuerySet
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

    def first_tries(self) -> Self:
        return self.filter(attempt_count=0)

    def retries(self) -> Self:
        return self.filter(attempt_count__gt=0)

    def stalled(self, now: datetime) -> Self:
        """Taken by a worker that is gone: its lease has ended."""
        return self.filter(state=State.SENDING, lease_until__lt=now)

    def overdue(self, now: datetime) -> Self:
        return self.filter(state=State.QUEUED, deadline__lte=now)

    def channels(self) -> ChannelQuerySet:
        """The channels of these queued rows.

        First tries and retries are asked for apart and in the order of their indexes: else all
        that a channel has in the log might be gone through to find one.
        """
        rows = self.filter(channel=OuterRef("pk")).order_by("priority", "due_at", "pk")
        return Channel.objects.alias(
            first=Subquery(rows.first_tries().values("pk")[:1]),
            again=Subquery(rows.retries().values("pk")[:1]),
        ).filter(Q(first__isnull=False) | Q(again__isnull=False))

    def next_event(self) -> datetime | None:
        """When the engine has something to do next: a row falls due, or a lease ends.

        A moment in the past means now. Rows of resting channels do not count, those of a paused
        one not before its next probe may leave.
        """
        now = timezone.now()
        due = self._due_over_a_channel(now)
        if due is None:  # what is due is held up, perhaps a great many: not to be gone through
            later = self.filter(state=State.QUEUED, due_at__gt=now, channel__is_active=True)
            unheld = Q(channel__paused_until=None) | Q(due_at__gt=F("channel__paused_until"))
            rows = later.filter(unheld).order_by("due_at")
            due = rows.values_list("due_at", flat=True).first()
        lease = (
            self.filter(state=State.SENDING)
            .order_by("lease_until")
            .values_list("lease_until", flat=True)
            .first()
        )
        moments = (due, lease, self._next_probe(now))
        return min((moment for moment in moments if moment), default=None)

    def _due_over_a_channel(self, now: datetime) -> datetime | None:
        """``now`` where a row is due that nothing holds up."""
        rows = self.filter(state=State.QUEUED, due_at__lte=now)
        return now if rows.channels().active().filter(paused_until=None).exists() else None

    def _next_probe(self, now: datetime) -> datetime | None:
        """When a paused channel's next probe may leave that will have a row to take."""
        by_then = Q(due_at__lte=now) | Q(due_at__lte=OuterRef("paused_until"))
        rows = self.filter(by_then, state=State.QUEUED)
        probes = rows.channels().paused().order_by("paused_until")
        return probes.values_list("paused_until", flat=True).first()


class Delivery(models.Model):
    """One message to one address over one channel. Its row is the truth.

    Each try to send it is an Attempt. It knows where it came from as ``origin_kind`` and
    ``origin_id``, and the person as plain values: the floors above are not imported here, and
    the log must still say who was meant once a person is gone.
    """

    # Found by the log's indexes, which begin with these columns.
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="deliveries", db_index=False)
    channel = models.ForeignKey(Channel, models.PROTECT, related_name="deliveries", db_index=False)
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

    # What a connector that goes by steps found out for this try (connectors/base.py); not stored.
    prepared: object = None

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
            # A channel's are asked for state by state: so one index serves it alone and with a
            # state, of which there may be none among its millions.
            models.Index(name="delivery_log", fields=["tenant", "created_at", "id"]),
            models.Index(name="delivery_log_state", fields=["tenant", "state", "created_at", "id"]),
            models.Index(
                name="delivery_log_channel", fields=["channel", "state", "created_at", "id"]
            ),
            # A person is found by id: an expansion goes from id to id, so what one batch adds here
            # lies close together, while its logins are spread over all of an index. Tests and
            # replays carry no id; they are few, and found by the login itself. Each index leaves
            # out the other's rows, so that SQLite, which does not count, can't take the wrong one.
            models.Index(
                name="delivery_log_person",
                fields=["tenant", "recipient_id", "created_at", "id"],
                condition=Q(recipient_id__isnull=False),
            ),
            models.Index(
                name="delivery_log_login",
                fields=["tenant", "recipient", "created_at", "id"],
                condition=Q(recipient_id__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"Delivery {self.pk} to {self.recipient}"

    @property
    def public_id(self) -> str:
        """The id that the far end sees, the same over all tries (Standard Webhooks' webhook-id)."""
        return f"dlv_{self.channel.short_id}_{self.id}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN
