from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from channels_app.models.channel import Channel
from channels_app.models.delivery import Delivery
from channels_app.models.message import Message


class ChatMessageQuerySet(models.QuerySet["ChatMessage"]):
    def window(self, channel: Channel, contact: str) -> Self:
        """What stands in one person's chat window, oldest first."""
        return self.filter(channel=channel, contact=contact).order_by("pk")

    def unread(self) -> Self:
        return self.filter(read_at=None)

    def mark_read(self, up_to: int, now: datetime) -> int:
        """Mark what was shown; what arrived since stays unread. Returns how many changed."""
        return self.unread().filter(pk__lte=up_to).update(read_at=now)


class ChatMessage(models.Model):
    """One message in a person's chat window: one to them, or one of their own.

    One to them is made in the transaction that settles its delivery, so a repeated try shows it
    once.
    """

    channel = models.ForeignKey(Channel, models.PROTECT, related_name="chat_messages")
    contact = models.CharField(max_length=254)
    delivery = models.OneToOneField(
        Delivery, models.PROTECT, null=True, related_name="chat_message"
    )
    # What the contact said there themselves, instead of a delivery.
    said = models.OneToOneField(Message, models.PROTECT, null=True, related_name="chat_message")
    payload = models.JSONField()
    sent_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True, help_text=_("When the window first showed it."))

    objects = ChatMessageQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="chat_delivered_or_said",
                condition=Q(delivery__isnull=False, said__isnull=True)
                | Q(delivery__isnull=True, said__isnull=False),
            ),
        ]
        indexes = [
            # Read by the chat window, which asks every second for what is newer.
            models.Index(name="chat_window", fields=["channel", "contact", "id"]),
            models.Index(
                name="chat_unread", fields=["channel", "contact"], condition=Q(read_at=None)
            ),
        ]

    def __str__(self) -> str:
        return f"Chat message {self.pk} to {self.contact}"
