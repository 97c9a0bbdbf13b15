from collections.abc import Collection
from typing import Self
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from channels_app.models import Channel
from channels_app.models.channel import FOR_PEOPLE
from project.access.models import Tenant
from project.access.models.tenant import known_zone

EVERY_KIND = "*"
KINDS = [(kind.value, kind.label) for kind in FOR_PEOPLE]


def login_key(login: str) -> str:
    """Return what two spellings of one login have in common.

    It is made here and not by the database's LOWER, which on SQLite, and on PostgreSQL with the
    locale C, knows the letters of ASCII only. casefold() would go too far: it takes Groß and
    Gross, who may well be two people, for one.
    """
    return login.strip().lower()


class LoginKey(models.CharField[str, str]):
    """Holds the key of the row's login: put there by save() and by bulk_create(), by nobody else.

    update() and bulk_update() would not, so nothing may change a login by these. A rename goes
    through `save_recipient`, which keeps the former login for the delivery log.
    """

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        key = login_key(model_instance.login)  # type: ignore[attr-defined] # it stands beside one
        setattr(model_instance, self.attname, key)
        return key


class Role(models.Model):
    """A numbered group of people: Luma's -1 to -5 and the tenant's own, from 1."""

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="roles")
    code = models.IntegerField(help_text=_("Luma's are -1 to -5; a tenant's own are above 0."))
    name = models.CharField(max_length=80)

    class Meta:
        ordering = ["tenant", "-code"]
        constraints = [
            models.UniqueConstraint(
                name="role_code_once",
                fields=["tenant", "code"],
                violation_error_message=_("A role with this code exists."),
            ),
            models.CheckConstraint(
                name="role_code_not_zero",
                condition=~Q(code=0),
                violation_error_message=_("0 means everyone and can't be a role's code."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"


class RecipientQuerySet(models.QuerySet["Recipient"]):
    def of(self, tenant: Tenant) -> Self:
        return self.filter(tenant=tenant)

    def active(self) -> Self:
        return self.filter(is_active=True)

    def named(self, logins: Collection[str]) -> Self:
        """Those with one of these login ids, whatever the case."""
        return self.filter(login_key__in={login_key(login) for login in logins})

    def holding(self, codes: Collection[int]) -> Self:
        """Those who hold at least one of these roles, each once."""
        held = Recipient.roles.through.objects.filter(
            recipient=OuterRef("pk"), role__code__in=codes, role__tenant=OuterRef("tenant")
        )
        return self.filter(Exists(held))

    def opted_out_of(self, kind: str) -> Self:
        out = OptOut.objects.filter(recipient=OuterRef("pk"), kind__in=[kind, EVERY_KIND])
        return self.filter(Exists(out))

    def with_address(self, kind: str) -> Self:
        has = Address.objects.filter(recipient=OuterRef("pk"), kind=kind)
        return self.filter(Exists(has))


class Recipient(models.Model):
    """A person who gets messages, known by a login id."""

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="recipients")
    login = models.CharField(max_length=254, help_text=_("Unique in the tenant, in any case."))
    # Twice as long: the small letter of İ is written with two characters.
    login_key = LoginKey(max_length=508, editable=False)
    name = models.CharField(max_length=150, blank=True)
    locale = models.CharField(
        max_length=35, blank=True, help_text=_("BCP 47; empty is the tenant's.")
    )
    time_zone = models.CharField(
        max_length=64, blank=True, validators=[known_zone], help_text=_("Empty is the tenant's.")
    )
    is_active = models.BooleanField(default=True, help_text=_("People at rest get nothing."))
    roles = models.ManyToManyField(Role, blank=True, related_name="recipients")
    last_channel = models.ForeignKey(
        Channel,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("The channel this person used last; “last used channel” sends there."),
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = RecipientQuerySet.as_manager()

    class Meta:
        ordering = ["login"]
        permissions = [
            ("import_recipient", "Can import recipients"),
            ("export_recipient", "Can export recipients"),
        ]
        constraints = [
            models.UniqueConstraint(
                name="recipient_login_once",
                fields=["tenant", "login_key"],
                violation_error_message=_("A recipient with this login exists."),
            ),
            # "0" is Luma's word for everyone, a comma parts the ids.
            models.CheckConstraint(
                name="recipient_login_plain",
                condition=~Q(login__in=["", "0"]) & ~Q(login__contains=","),
                violation_error_message=_("A login is not empty, not 0 and has no comma."),
            ),
        ]
        indexes = [
            # Read by the expansion of an audience, which walks a tenant's people by key.
            models.Index(
                name="recipient_walk", fields=["tenant", "id"], condition=Q(is_active=True)
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.login

    def clean(self) -> None:
        # The constraint is validated before anything is saved.
        self.login_key = login_key(self.login)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone or self.tenant.time_zone)


class Address(models.Model):
    """Where a person is reached over one kind of channel."""

    recipient = models.ForeignKey(Recipient, models.CASCADE, related_name="addresses")
    kind = models.CharField(max_length=16, choices=KINDS)
    value = models.CharField(max_length=254)

    class Meta:
        verbose_name_plural = _("addresses")
        constraints = [
            models.UniqueConstraint(
                name="address_one_per_kind",
                fields=["recipient", "kind"],
                violation_error_message=_("This person has an address of this kind."),
            ),
            models.CheckConstraint(name="address_not_empty", condition=~Q(value="")),
        ]
        indexes = [models.Index(name="address_value", fields=["kind", "value"])]

    def __str__(self) -> str:
        return f"{self.kind}: {self.value}"


class OptOut(models.Model):
    """A person's wish to get nothing over one kind of channel, or over any."""

    recipient = models.ForeignKey(Recipient, models.CASCADE, related_name="opt_outs")
    kind = models.CharField(max_length=16, choices=[*KINDS, (EVERY_KIND, _("Every channel"))])
    since = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("opt-out")
        constraints = [
            models.UniqueConstraint(
                name="optout_once",
                fields=["recipient", "kind"],
                violation_error_message=_("This opt-out stands already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.recipient_id} not by {self.kind}"
