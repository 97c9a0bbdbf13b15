from collections.abc import Mapping
from typing import Self

from django.db import models
from django.db.models import F, Q, Sum
from django.utils.translation import gettext_lazy as _

from channels_app.models.delivery import OPEN, State
from project.access.models import Tenant

STILL_OPEN = Q(queued__gt=0) | Q(sending__gt=0)


class TallyQuerySet(models.QuerySet["Tally"]):
    def halted(self) -> Self:
        """Stopped, with rows still to be cancelled: what the claims must leave alone."""
        return self.filter(halted_at__isnull=False, queued__gt=0)

    def waiting(self, tenant: Tenant) -> int:
        """How many of the tenant's deliveries are still to be settled.

        Reads the open origins only, by the index ``tally_open``.
        """
        open_rows = self.filter(STILL_OPEN, tenant=tenant)
        found = open_rows.aggregate(number=Sum(F("queued") + F("sending")))
        return found["number"] or 0

    def shift(self, kind: str, pk: int, changes: Mapping[str, int]) -> None:
        """Add ``changes`` (state to difference) in the transaction that moves the rows."""
        moved = {state: F(state) + by for state, by in sorted(changes.items()) if by}
        if moved:
            self.filter(origin_kind=kind, origin_id=pk).update(**moved)


class Tally(models.Model):
    """How many deliveries of one origin are in which state.

    Kept in each transaction that moves deliveries, so that no page counts rows: the sum over
    the states is the number of deliveries, at all times.
    """

    tenant = models.ForeignKey(Tenant, models.PROTECT)
    origin_kind = models.CharField(max_length=16)
    origin_id = models.BigIntegerField()
    queued = models.IntegerField(default=0)
    sending = models.IntegerField(default=0)
    sent = models.IntegerField(default=0)
    delivered = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    expired = models.IntegerField(default=0)
    cancelled = models.IntegerField(default=0)
    suppressed = models.IntegerField(default=0)
    halted_at = models.DateTimeField(null=True, help_text=_("Stopped: nothing more leaves."))

    objects = TallyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = _("tallies")
        constraints = [
            models.UniqueConstraint(name="tally_once", fields=["origin_kind", "origin_id"]),
            *(
                models.CheckConstraint(
                    name=f"tally_{state}_counts", condition=Q(**{f"{state}__gte": 0})
                )
                for state in State.values
            ),
        ]
        indexes = [
            # Read by every claim.
            models.Index(
                name="tally_halted",
                fields=["origin_kind", "origin_id"],
                condition=Q(halted_at__isnull=False, queued__gt=0),
            ),
            # Read by every open page of the console, each few seconds.
            models.Index(name="tally_open", fields=["tenant"], condition=STILL_OPEN),
        ]

    def __str__(self) -> str:
        return f"{self.origin_kind} {self.origin_id}: {self.total}"

    @property
    def states(self) -> dict[str, int]:
        return {state: getattr(self, state) for state in State.values}

    @property
    def total(self) -> int:
        return sum(self.states.values())

    @property
    def open(self) -> int:
        """How many are still to be settled."""
        return sum(getattr(self, state) for state in OPEN)
