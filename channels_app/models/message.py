import uuid
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from channels_app.models.agent import Agent
from channels_app.models.event import Event
from channels_app.models.session import Session


class Author(models.TextChoices):
    CONTACT = "contact", _("Contact")
    AGENT = "agent", _("Agent")
    SYSTEM = "system", _("Carillon")


class MessageState(models.TextChoices):
    ACCEPTED = "accepted", _("Accepted")  # its session has not come up yet
    PROCESSED = "processed", _("Processed")
    FAILED = "failed", _("Failed")


class AttachmentType(models.TextChoices):
    """Alvaria's enumeration."""

    IMAGE = "Image", _("Image")
    FILE = "File", _("File")
    AUDIO = "Audio", _("Audio")
    VIDEO = "Video", _("Video")


class MessageQuerySet(models.QuerySet["Message"]):
    def of_session(self, session: Session) -> Self:
        return self.filter(session=session).order_by("pk")

    def from_contact(self) -> Self:
        return self.filter(author=Author.CONTACT)

    def accepted(self) -> Self:
        return self.filter(state=MessageState.ACCEPTED)


class Message(models.Model):
    """One utterance in a session, by the contact, an agent or Carillon itself.

    Ids rise in the order of their commits within a session, whose row is locked meanwhile: who
    has seen one has seen all before it.
    """

    session = models.ForeignKey(Session, models.PROTECT, related_name="messages", db_index=False)
    public_id = models.UUIDField(
        default=uuid.uuid4, editable=False, help_text=_("Alvaria's messageId.")
    )
    author = models.CharField(max_length=7, choices=Author)
    agent = models.ForeignKey(Agent, models.PROTECT, null=True, related_name="+", db_index=False)
    author_name = models.CharField(max_length=254)
    text = models.TextField(blank=True)
    attachment_type = models.CharField(max_length=5, choices=AttachmentType, blank=True)
    attachment_url = models.CharField(max_length=2048, blank=True)
    attachment_name = models.CharField(max_length=120, blank=True)
    state = models.CharField(max_length=9, choices=MessageState, default=MessageState.PROCESSED)
    reason = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(default=timezone.now)
    # What tells the far end of it; its delivery says how far it is. None for the contact's own.
    event = models.OneToOneField(Event, models.PROTECT, null=True, related_name="message")
    vendor_id = models.CharField(
        max_length=100, blank=True, help_text=_("The far end's name for it, where it gives one.")
    )

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                name="message_author_known", condition=Q(author__in=Author.values)
            ),
            models.CheckConstraint(
                name="message_state_known", condition=Q(state__in=MessageState.values)
            ),
            models.CheckConstraint(
                name="message_says_something",
                condition=~Q(text="") | ~Q(attachment_url=""),
            ),
            models.CheckConstraint(
                name="message_attachment_whole",
                condition=Q(attachment_type="", attachment_url="")
                | (Q(attachment_type__in=AttachmentType.values) & ~Q(attachment_url="")),
            ),
        ]
        indexes = [
            # Read by the console, each half second, for what is newer.
            models.Index(name="message_of_session", fields=["session", "id"]),
        ]

    def __str__(self) -> str:
        return f"Message {self.pk} in session {self.session_id}"


class Attachment(models.Model):
    """A file that an agent sends along; the contact fetches it by its unguessable id.

    Kept in a row, so that every web host has it and a backup of the database is whole.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    session = models.ForeignKey(Session, models.PROTECT, related_name="attachments")
    name = models.CharField(max_length=120)
    content_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField(help_text=_("Bytes."))
    content = models.BinaryField()
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name
