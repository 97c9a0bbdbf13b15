from datetime import datetime, timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _

from channels_app import secrets
from channels_app.models.channel import Channel

MARGIN = timedelta(minutes=2)  # before its end, from which a token is not used any more


class VendorToken(models.Model):
    """An access token that a vendor gave us for a channel, shared by all workers."""

    channel = models.OneToOneField(Channel, models.CASCADE, related_name="vendor_token")
    sealed = models.TextField(help_text=_("The token, encrypted."))
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Token of {self.channel}, until {self.expires_at:%Y-%m-%d %H:%M:%S}"

    @property
    def plain(self) -> str:
        """The decrypted token. Raises SecretsUnreadable."""
        return secrets.unseal(self.sealed)["token"]

    def is_good(self, now: datetime) -> bool:
        return self.expires_at - MARGIN > now
