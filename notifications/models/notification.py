from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from channels_app.models import Channel, Priority
from notifications.models.template import ContentType, TemplateVersion
from project.access.models import Tenant
from project.access.models.tenant import known_zone

ORIGIN = "notification"  # Delivery.origin_kind of what a notification sends


class Stage(models.TextChoices):
    DRAFT = "draft", _("Draft")
    SUBMITTED = "submitted", _("Waiting for approval")
    SCHEDULED = "scheduled", _("Scheduled")  # approved, its time is to come
    SENDING = "sending", _("Sending")
    DONE = "done", _("Done")
    CANCELLED = "cancelled", _("Cancelled")


class NotificationQuerySet(models.QuerySet["Notification"]):
    def of(self, tenant: Tenant) -> Self:
        return self.filter(tenant=tenant)

    def due(self, now: datetime) -> Self:
        """Whose time has come: to be started, or the next occurrence of a series to be made."""
        return self.filter(stage=Stage.SCHEDULED, due_at__lte=now)

    def expanding(self) -> Self:
        """Started, with people still to be turned into deliveries."""
        return self.filter(stage=Stage.SENDING, expanded_at=None)

    def sending(self) -> Self:
        return self.filter(stage=Stage.SENDING)

    def to_be_expanded(self) -> Self:
        """Handed in or released, with people still to be looked up by its audience."""
        return self.filter(
            stage__in=[Stage.SUBMITTED, Stage.SCHEDULED, Stage.SENDING], expanded_at=None
        )


class Notification(models.Model):
    """One message to one audience, with a life.

    A repeating one is a series: it stays ``scheduled`` and each occurrence is a notification
    of its own, with the series as its ``series``, so that each has its own books.
    """

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="notifications")
    title = models.CharField(max_length=150, help_text=_("For the console; the e-mail's subject."))
    stage = models.CharField(max_length=9, choices=Stage, default=Stage.DRAFT)

    # Who: {"everyone": bool, "contacts": [login], "roles": [code], "narrow": bool}. People are
    # named or hold a role; with "narrow", they are named and hold one of the roles.
    audience = models.JSONField(default=dict)

    # What: own text or one version of a template, and the values of its variables.
    kind = models.CharField(max_length=5, choices=ContentType, default=ContentType.TEXT)
    template = models.ForeignKey(
        TemplateVersion, models.PROTECT, null=True, blank=True, related_name="notifications"
    )
    body = models.TextField(blank=True, help_text=_("Own text, where no template is chosen."))
    message = models.TextField(blank=True, help_text=_("The value of @request.message."))
    event = models.JSONField(default=dict, blank=True, help_text=_("The values of @event.…"))

    # How and when.
    channel = models.ForeignKey(
        Channel,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="notifications",
        help_text=_("Empty is each person's last used channel."),
    )
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NORMAL)
    send_at = models.DateTimeField(null=True, blank=True, help_text=_("Empty is at once."))
    repeat = models.CharField(max_length=500, blank=True, help_text=_("An RFC 5545 rule."))
    time_zone = models.CharField(
        max_length=64, blank=True, validators=[known_zone], help_text=_("Of the repeat rule.")
    )
    due_at = models.DateTimeField(null=True, editable=False)
    series = models.ForeignKey(
        "self", models.PROTECT, null=True, editable=False, related_name="occurrences"
    )
    occurs_at = models.DateTimeField(null=True, editable=False)

    # Who decided. ``digest`` covers audience, content and schedule (notifications/approval.py).
    key = models.CharField(max_length=64, blank=True, help_text=_("Caller's idempotency key."))
    digest = models.CharField(max_length=64, blank=True, editable=False)
    composed_by = models.CharField(max_length=150, blank=True, editable=False)
    submitted_at = models.DateTimeField(null=True, editable=False)
    approved_by = models.CharField(max_length=150, blank=True, editable=False)
    approved_at = models.DateTimeField(null=True, editable=False)
    approved_count = models.PositiveIntegerField(
        null=True, editable=False, help_text=_("How many people the approver saw.")
    )

    # What became of it.
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    started_at = models.DateTimeField(null=True, editable=False)
    expanded_to = models.BigIntegerField(default=0, editable=False, help_text=_("Last recipient."))
    expanded_at = models.DateTimeField(null=True, editable=False)
    finished_at = models.DateTimeField(null=True, editable=False)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        permissions = [
            ("send_notification", "Can send without approval"),
            ("approve_notification", "Can approve what others composed"),
            ("stop_notification", "Can stop what is being sent"),
        ]
        constraints = [
            models.CheckConstraint(
                name="notification_stage_known", condition=Q(stage__in=Stage.values)
            ),
            models.CheckConstraint(
                name="notification_kind_known", condition=Q(kind__in=ContentType.values)
            ),
            models.UniqueConstraint(
                name="notification_once_per_key", fields=["tenant", "key"], condition=~Q(key="")
            ),
            models.UniqueConstraint(
                name="notification_once_per_occurrence", fields=["series", "occurs_at"]
            ),
        ]
        indexes = [
            # Read by each sweep.
            models.Index(
                name="notification_due", fields=["due_at"], condition=Q(stage="scheduled")
            ),
            models.Index(
                name="notification_open",
                fields=["stage", "expanded_at"],
                condition=Q(stage="sending"),
            ),
            # Read by the list.
            models.Index(name="notification_list", fields=["tenant", "-id"]),
        ]

    def __str__(self) -> str:
        return self.title or f"Notification {self.pk}"

    @property
    def is_series(self) -> bool:
        return bool(self.repeat)

    @property
    def is_editable(self) -> bool:
        return self.stage == Stage.DRAFT
