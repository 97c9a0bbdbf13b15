from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from channels_app import secrets
from channels_app.models.channel import Channel

MARGIN = timedelta(minutes=2)  # before its end, from which a token is not used any more


class VendorToken(models.Model):
    """An access token that a vendor gave us for a channel, shared by all workers.

    One of them fetches it at a time: whoever moves ``next_try_at`` on (vendor_tokens.py).
    """

    channel = models.OneToOneField(Channel, models.CASCADE, related_name="vendor_token")
    sealed = models.TextField(blank=True, help_text=_("The token, encrypted; empty: none."))
    obtained_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    next_try_at = models.DateTimeField(default=timezone.now)
    failures = models.PositiveSmallIntegerField(default=0, help_text=_("In a row."))
    error = models.CharField(max_length=200, blank=True, help_text=_("Why there is none."))

    def __str__(self) -> str:
        return f"Token of {self.channel}"

    @property
    def plain(self) -> str:
        """The decrypted token. Raises SecretsUnreadable."""
        return secrets.unseal(self.sealed)["token"]

    @property
    def good_until(self) -> datetime | None:
        """When it is used no more: shortly before its end. None where there is none."""
        if not (self.sealed and self.obtained_at and self.expires_at):
            return None
        # One that lives for less than twice the margin would else be good for hardly any time.
        return self.expires_at - min(MARGIN, (self.expires_at - self.obtained_at) / 2)

    def is_good(self, now: datetime) -> bool:
        return self.good_until is not None and self.good_until > now
