from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from project.access.models.tenant import Tenant


class Scope(models.TextChoices):
    LUMA_NOTIFY = "luma.notify", _("Luma: notify users")
    SERVER_MESSAGING = "servermessagingapi", _("Alvaria: server messaging")


class ApiClient(models.Model):
    """A system that may call. What it may do is in its scopes, its secrets are ApiTokens."""

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="api_clients")
    name = models.CharField(max_length=100)
    scopes = models.JSONField(default=list, help_text=_("What this system may do."))
    is_active = models.BooleanField(default=True)
    rate_limit = models.PositiveIntegerField(
        default=6000, help_text=_("Requests a minute; 0 is no limit.")
    )
    # Its OAuth 2.0 credentials (project/access/oauth.py), once it has any.
    application = models.OneToOneField(
        "oauth2_provider.Application",
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="api_client",
    )
    api_key_digest = models.CharField(max_length=64, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("API client")
        constraints = [
            models.UniqueConstraint(name="client_name_once", fields=["tenant", "name"]),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def credentials_mark(self) -> str:
        """What changes with its OAuth credentials; empty where it has none."""
        return self.api_key_digest[:16]


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def usable(self, now: datetime) -> Self:
        return self.filter(
            Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None, client__is_active=True
        )


class ApiToken(models.Model):
    """One secret of an ApiClient: stored hashed, shown once. Two may overlap in a rotation."""

    client = models.ForeignKey(ApiClient, models.CASCADE, related_name="tokens")
    # SHA-256 suffices: the token is 256 random bits, so no dictionary reaches it.
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=12, editable=False, help_text=_("How the token begins."))
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("API token")

    def __str__(self) -> str:
        return f"{self.hint}…"

    def is_usable(self, now: datetime) -> bool:
        """Whether `ApiTokenQuerySet.usable` finds it."""
        ended = self.revoked_at is not None or (self.expires_at and self.expires_at <= now)
        return not ended and self.client.is_active
