from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from project.access.models.tenant import Tenant, known_zone


class User(AbstractUser):
    """A person who signs in. All but the installation's superusers belong to one tenant."""

    tenant = models.ForeignKey(Tenant, models.PROTECT, null=True, blank=True, related_name="users")
    recipient_login = models.CharField(
        max_length=254,
        blank=True,
        help_text=_("This person's own login as a recipient; test sends go there."),
    )
    time_zone = models.CharField(max_length=64, blank=True, validators=[known_zone])

    class Meta(AbstractUser.Meta):
        constraints = [
            models.CheckConstraint(
                name="user_has_tenant",
                condition=models.Q(is_superuser=True) | models.Q(tenant__isnull=False),
                violation_error_message=_("Choose the tenant that this person belongs to."),
            )
        ]
