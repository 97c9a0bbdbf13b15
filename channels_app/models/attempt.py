from typing import Any, NoReturn

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from channels_app.models.delivery import Delivery


class Outcome(models.TextChoices):
    ACCEPTED = "accepted", _("Accepted")
    UNAVAILABLE = "unavailable", _("Unavailable")  # may succeed later
    REJECTED = "rejected", _("Rejected")  # the same request can never succeed
    UNKNOWN = "unknown", _("Unknown")  # cut off: it may have arrived


class Attempt(models.Model):
    """One try at a Delivery, never changed once written."""

    # Found by the constraint's index, which begins with it.
    delivery = models.ForeignKey(Delivery, models.PROTECT, related_name="attempts", db_index=False)
    number = models.PositiveSmallIntegerField(help_text=_("From 1."))
    started_at = models.DateTimeField()
    duration = models.FloatField(null=True, help_text=_("Seconds; unknown when cut off."))
    outcome = models.CharField(max_length=11, choices=Outcome)
    status = models.PositiveSmallIntegerField(null=True, help_text=_("HTTP status."))
    error = models.CharField(max_length=200, blank=True)
    answer = models.CharField(max_length=2000, blank=True, help_text=_("How the answer began."))
    next_at = models.DateTimeField(null=True, help_text=_("When the next try was planned."))

    class Meta:
        ordering = ["delivery", "number"]
        constraints = [
            models.UniqueConstraint(name="attempt_once", fields=["delivery", "number"]),
            models.CheckConstraint(
                name="attempt_outcome_known", condition=Q(outcome__in=Outcome.values)
            ),
        ]

    def __str__(self) -> str:
        return f"Attempt {self.number} at delivery {self.delivery_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("An attempt is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("An attempt is never deleted.")
