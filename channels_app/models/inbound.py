from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from channels_app.models.channel import Channel
from channels_app.models.session import Session


class InboundState(models.TextChoices):
    PENDING = "pending", _("Pending")
    PROCESSED = "processed", _("Processed")
    UNKNOWN = "unknown", _("Not understood")  # kept, and shown


class InboundEventQuerySet(models.QuerySet["InboundEvent"]):
    def not_understood(self, channel: Channel) -> Self:
        """Newest first."""
        return self.filter(channel=channel, state=InboundState.UNKNOWN).order_by("-pk")

    def pending(self) -> Self:
        """What is still to be carried out, in the order it came."""
        return self.filter(state=InboundState.PENDING).order_by("pk")


class InboundEvent(models.Model):
    """A vendor's event as it came in, once for each ``event_id`` of a channel."""

    channel = models.ForeignKey(
        Channel, models.PROTECT, related_name="inbound_events", db_index=False
    )
    event_id = models.CharField(max_length=100)
    kind = models.CharField(max_length=40, blank=True)
    body = models.JSONField()
    received_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=9, choices=InboundState, default=InboundState.PENDING)
    reason = models.CharField(max_length=200, blank=True, help_text=_("What was not understood."))
    processed_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True, help_text=_("When it first broke off."))
    session = models.ForeignKey(Session, models.PROTECT, null=True, related_name="inbound_events")

    objects = InboundEventQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(name="inbound_once", fields=["channel", "event_id"]),
            models.CheckConstraint(
                name="inbound_state_known", condition=Q(state__in=InboundState.values)
            ),
        ]
        indexes = [
            # Read by whoever carries them out.
            models.Index(name="inbound_pending", fields=["id"], condition=Q(state="pending")),
            # Read by the list of what was not understood, newest first.
            models.Index(name="inbound_unknown", fields=["id"], condition=Q(state="unknown")),
            # Read by a channel's page.
            models.Index(
                name="inbound_stray", fields=["channel", "id"], condition=Q(state="unknown")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind or 'Event'} {self.event_id}"
