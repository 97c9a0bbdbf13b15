from typing import Self

from django.contrib.auth.models import Permission
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from channels_app.models.work_type import WorkType
from project.access.models import Tenant, User


class Presence(models.TextChoices):
    AVAILABLE = "available", _("Available")
    AWAY = "away", _("Away")


class AgentQuerySet(models.QuerySet["Agent"]):
    def of(self, tenant: Tenant) -> Self:
        return self.filter(tenant=tenant)

    def available(self) -> Self:
        return self.filter(presence=Presence.AVAILABLE, user__is_active=True)

    def able(self) -> Self:
        """Those whose person may still sign in and answer here."""
        right = Permission.objects.filter(
            Q(user=OuterRef("user")) | Q(group__user=OuterRef("user")),
            codename="answer_session",
            content_type__app_label="channels_app",
        )
        # A superuser without an organisation works in any.
        here = Q(user__tenant=F("tenant")) | Q(user__tenant=None, user__is_superuser=True)
        may = Q(user__is_superuser=True) | Q(Exists(right))
        return self.filter(here, may, user__is_active=True)

    def with_load(self) -> Self:
        """Annotate ``load`` and ``offered``: how many sessions each has in hand, and is offered.

        Counted apart from the agents, by what is open: a join would read all that they ever had.
        """
        from channels_app.models.session import Session

        def counted(by: str, rows: QuerySet[Session]) -> Coalesce:
            mine = rows.filter(**{by: OuterRef("pk")}).order_by().values(by)
            return Coalesce(Subquery(mine.annotate(number=Count("pk")).values("number")), 0)

        return self.annotate(
            load=counted("agent", Session.objects.active()),
            offered=counted("offered_to", Session.objects.waiting()),
        )


class Agent(models.Model):
    """A person who answers sessions: those of the work types that are their skills."""

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="agents")
    user = models.OneToOneField(User, models.PROTECT, related_name="agent")
    alias = models.CharField(
        max_length=60, help_text=_("The first name that contacts see (agentAlias).")
    )
    presence = models.CharField(max_length=9, choices=Presence, default=Presence.AWAY)
    capacity = models.PositiveSmallIntegerField(
        default=4,
        validators=[MinValueValidator(1), MaxValueValidator(50)],
        help_text=_("Most sessions at once."),
    )
    work_types = models.ManyToManyField(WorkType, related_name="agents", blank=True)
    # The offers' turn: whoever was asked longest ago is asked next.
    last_offered_at = models.DateTimeField(null=True, editable=False)
    # When their console was last open; who is gone is asked no more.
    seen_at = models.DateTimeField(null=True, editable=False)

    load: int  # with_load() annotates these
    offered: int

    objects = AgentQuerySet.as_manager()

    class Meta:
        ordering = ["alias"]
        permissions = [("answer_session", "Can answer sessions in the console")]
        constraints = [
            models.CheckConstraint(
                name="agent_presence_known", condition=Q(presence__in=Presence.values)
            ),
        ]

    def __str__(self) -> str:
        return self.alias
