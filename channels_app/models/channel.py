import uuid
from datetime import timedelta
from typing import Any, Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from channels_app import secrets
from project.access.models import ApiClient, Tenant, User


class Kind(models.TextChoices):
    CHAT = "chat", _("Chat")
    EMAIL = "email", _("E-mail")
    WEBHOOK = "webhook", _("Webhook")
    LUMA = "luma", _("Luma")
    ALVARIA = "alvaria", _("Alvaria")
    ALVARIA_CALLBACK = "alvaria_callback", _("Alvaria callbacks")


# Over the others a system is told of its sessions; no notification reaches anyone by them.
FOR_PEOPLE = tuple(kind for kind in Kind if kind != Kind.ALVARIA_CALLBACK)


class ChannelQuerySet(models.QuerySet["Channel"]):
    def for_people(self) -> Self:
        """Those over which a notification can reach a person."""
        return self.filter(kind__in=FOR_PEOPLE)

    def active(self) -> Self:
        return self.filter(is_active=True)

    def paused(self) -> Self:
        return self.active().filter(paused_since__isnull=False)

    def of(self, tenant: Tenant) -> Self:
        return self.filter(tenant=tenant)


class Channel(models.Model):
    """One configured way out: a kind, its settings, encrypted secrets and limits.

    What ``settings`` and ``secrets`` hold is declared by the kind's connector.
    """

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="channels")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=16, choices=Kind)
    external_id = models.CharField(
        max_length=100,
        blank=True,
        help_text=_("The bot's external ID: callers of the Luma route choose the channel by it."),
    )
    is_active = models.BooleanField(
        default=True, help_text=_("Deliveries of a resting channel wait; they expire as planned.")
    )
    is_default = models.BooleanField(
        default=False, help_text=_("Used for people who have no last used channel.")
    )
    client = models.ForeignKey(
        ApiClient,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="channels",
        help_text=_("Whose sessions it tells of; empty: those of every system without an own one."),
    )
    settings = models.JSONField(default=dict, blank=True)
    sealed = models.TextField(blank=True, editable=False, help_text=_("The secrets, encrypted."))
    lifetime = models.DurationField(
        default=timedelta(hours=4), help_text=_("A delivery not made by then expires.")
    )
    max_in_flight = models.PositiveSmallIntegerField(
        default=64,
        validators=[MinValueValidator(1), MaxValueValidator(1024)],
        help_text=_("Most requests under way at once, for each worker."),
    )
    rate_limit = models.PositiveIntegerField(
        default=0, help_text=_("Most messages a second, over all workers; 0 is no limit.")
    )
    # When the next message may leave under rate_limit; moved forward by whoever claims.
    paced_until = models.DateTimeField(null=True, editable=False)
    owner = models.ForeignKey(
        User,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Is told by e-mail when the channel is paused and when it comes back."),
    )
    # The circuit breaker's (dispatch/breaker.py). Written by update() alone: updated_at stays.
    paused_since = models.DateTimeField(null=True, editable=False)
    paused_until = models.DateTimeField(null=True, editable=False)  # when the next probe may leave
    pause_step = models.PositiveSmallIntegerField(default=0, editable=False)  # seconds
    pause_error = models.CharField(max_length=200, blank=True, editable=False)
    returned_at = models.DateTimeField(null=True, editable=False)  # from the last pause
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ChannelQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                name="channel_name_once",
                fields=["tenant", "name"],
                violation_error_message=_("A channel with this name exists."),
            ),
            models.UniqueConstraint(
                name="channel_one_default",
                fields=["tenant"],
                condition=Q(is_default=True),
                violation_error_message=_("Another channel is the default already."),
            ),
            models.UniqueConstraint(
                name="channel_external_id_once",
                fields=["tenant", "external_id"],
                condition=~Q(external_id=""),
                violation_error_message=_("Another channel has this external ID."),
            ),
            models.UniqueConstraint(
                name="channel_of_client_once",
                fields=["tenant", "kind", "client"],
                condition=Q(kind="alvaria_callback", client__isnull=False),
                violation_error_message=_("Another channel tells this system of its sessions."),
            ),
            models.UniqueConstraint(
                name="channel_of_all_clients_once",
                fields=["tenant", "kind"],
                condition=Q(kind="alvaria_callback", client__isnull=True),
                violation_error_message=_("Another channel serves all systems; choose a system."),
            ),
            models.CheckConstraint(
                name="channel_client_of_callbacks",
                condition=Q(client__isnull=True) | Q(kind="alvaria_callback"),
            ),
            models.CheckConstraint(
                name="channel_default_for_people",
                condition=Q(is_default=False) | ~Q(kind="alvaria_callback"),
            ),
            models.CheckConstraint(name="channel_kind_known", condition=Q(kind__in=Kind.values)),
            models.CheckConstraint(
                name="channel_paused_until_a_probe",
                condition=Q(paused_since__isnull=True, paused_until__isnull=True)
                | Q(paused_since__isnull=False, paused_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @cached_property
    def short_id(self) -> str:
        """What tells its deliveries from those of other installations and channels."""
        return self.public_id.hex[:12]

    @property
    def is_paused(self) -> bool:
        """Whether it waits for its receiver; a channel at rest only rests."""
        return self.is_active and self.paused_since is not None

    @property
    def secrets(self) -> dict[str, str]:
        """The decrypted secrets; decrypt once and keep, where many are needed."""
        return secrets.unseal(self.sealed)

    def keep_secrets(self, values: dict[str, str]) -> None:
        """Encrypt ``values`` into the row; the caller saves."""
        self.sealed = secrets.seal(values)

    def setting(self, name: str, default: Any = "") -> Any:
        return self.settings.get(name, default)
