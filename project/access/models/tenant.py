import uuid
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _


def known_zone(name: str) -> None:
    """Refuse what is not an IANA time zone name."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise ValidationError(_("“%(name)s” is not a time zone."), params={"name": name}) from error


def new_org_id() -> str:
    return uuid.uuid4().hex[:20]


class Tenant(models.Model):
    """An organisation. Everything belongs to one; every query starts from it."""

    name = models.CharField(max_length=100, unique=True)
    org_id = models.CharField(
        max_length=40,
        unique=True,
        default=new_org_id,
        help_text=_("Alvaria's orgId, Salesforce's OrgId."),
    )
    external_id = models.UUIDField(
        unique=True, default=uuid.uuid4, help_text=_("Luma's tenant external ID.")
    )
    time_zone = models.CharField(max_length=64, default="UTC", validators=[known_zone])
    locale = models.CharField(
        max_length=35, default="en", help_text=_("BCP 47, such as en or de-AT.")
    )
    is_demo = models.BooleanField(
        default=False,
        editable=False,
        help_text=_(
            "Made by `manage.py demo`; its channels may call this machine's own addresses."
        ),
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
