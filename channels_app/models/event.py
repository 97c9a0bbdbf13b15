import uuid
from typing import Any, NoReturn

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from channels_app.models.delivery import Delivery
from channels_app.models.session import Session


class EventKind(models.TextChoices):
    """The first six are Alvaria's, with its words; the others stay in the house."""

    NEW_SESSION = "NEW_SESSION", _("Session came up")
    AGENT_JOINED = "AGENT_JOINED", _("Agent joined")
    MESSAGE = "MESSAGE", _("Message to the contact")
    MESSAGE_STATUS = "MESSAGE_STATUS", _("Message failed")
    SESSION_REROUTE = "SESSION_REROUTE", _("Transferred")
    SESSION_END = "SESSION_END", _("Ended")
    OFFERED = "OFFERED", _("Offered")
    PASSED = "PASSED", _("Offer not taken")


class Event(models.Model):
    """Something that happened to a session, never changed once written.

    ``data`` holds what the vendor's document has for this event beside ids, in its names.
    """

    session = models.ForeignKey(Session, models.PROTECT, related_name="events", db_index=False)
    kind = models.CharField(max_length=16, choices=EventKind)
    public_id = models.UUIDField(
        default=uuid.uuid4, editable=False, help_text=_("Alvaria's eventId.")
    )
    at = models.DateTimeField(default=timezone.now)
    by = models.CharField(max_length=150, blank=True, help_text=_("Who did it; empty: Carillon."))
    data = models.JSONField(default=dict)
    # What tells the far end; None where it is not told.
    delivery = models.OneToOneField(
        Delivery, models.PROTECT, null=True, related_name="session_event"
    )

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(name="event_kind_known", condition=Q(kind__in=EventKind.values)),
        ]
        indexes = [
            # Read by a session's page.
            models.Index(name="event_of_session", fields=["session", "id"]),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of session {self.session_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("An event is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("An event is never deleted.")
