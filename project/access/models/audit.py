from typing import Any, NoReturn

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from project.access.models.tenant import Tenant


class AuditEntry(models.Model):
    """What a person or a system did. Only ever added to: a database trigger refuses changes."""

    tenant = models.ForeignKey(Tenant, models.PROTECT, null=True, related_name="audit_entries")
    at = models.DateTimeField(default=timezone.now, editable=False)
    # The actor is text, not a foreign key: the entry must outlive the account.
    actor_kind = models.CharField(
        max_length=6,
        choices=[("user", _("Person")), ("client", _("System")), ("hub", _("Carillon"))],
    )
    actor_id = models.CharField(max_length=40, blank=True)
    actor_name = models.CharField(max_length=150)
    address = models.GenericIPAddressField(null=True, help_text=_("Where the call came from."))
    action = models.CharField(max_length=50, help_text=_("Dotted, such as notification.send."))
    target_kind = models.CharField(max_length=50, blank=True)
    target_id = models.CharField(max_length=40, blank=True)
    target_name = models.CharField(max_length=254, blank=True)
    details = models.JSONField(default=dict)

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit trail")
        indexes = [
            # Read by the audit trail's page, and by a target's own history.
            models.Index(name="audit_tenant", fields=["tenant", "-id"]),
            models.Index(name="audit_target", fields=["target_kind", "target_id"]),
            # Read by the audit trail's page when it shows a span of time.
            models.Index(name="audit_time", fields=["tenant", "at"]),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor_name} {self.action}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None and not self._state.adding:
            raise TypeError("An audit entry is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("An audit entry is never deleted.")
