from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from project.access.models import Tenant

WEEKDAYS = (
    (0, _("Monday")),
    (1, _("Tuesday")),
    (2, _("Wednesday")),
    (3, _("Thursday")),
    (4, _("Friday")),
    (5, _("Saturday")),
    (6, _("Sunday")),
)
MIDNIGHT = time(0)
END_OF_DAY = "24:00"  # as people write the midnight at which a span closes
_WEEK = 7


class WorkTypeQuerySet(models.QuerySet["WorkType"]):
    def of(self, tenant: Tenant) -> Self:
        return self.filter(tenant=tenant)

    def active(self) -> Self:
        return self.filter(is_active=True)


class WorkType(models.Model):
    """What a session is about: it waits for agents who have this skill.

    ``code`` is Alvaria's workTypeId. Without opening hours it is open at all times.
    """

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="work_types")
    code = models.CharField(
        max_length=40,
        validators=[RegexValidator(r"\A[\w.-]+\Z", _("Letters, digits, “.”, “-” and “_” only."))],
        help_text=_("Alvaria's workTypeId: callers name the work type by it."),
    )
    name = models.CharField(max_length=60)
    is_active = models.BooleanField(default=True, help_text=_("Takes new sessions."))
    is_default = models.BooleanField(
        default=False, help_text=_("Takes what people answer in their chat windows.")
    )
    offer_seconds = models.PositiveSmallIntegerField(
        default=30,
        validators=[MinValueValidator(5), MaxValueValidator(3600)],
        help_text=_("An offer not taken by then goes to the next agent."),
    )

    objects = WorkTypeQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                name="work_type_code_once",
                fields=["tenant", "code"],
                violation_error_message=_("A work type with this ID exists."),
            ),
            models.UniqueConstraint(
                name="work_type_name_once",
                fields=["tenant", "name"],
                violation_error_message=_("A work type with this name exists."),
            ),
            models.UniqueConstraint(
                name="work_type_one_default",
                fields=["tenant"],
                condition=Q(is_default=True),
                violation_error_message=_("Another work type is the default already."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def is_open(self, at: datetime) -> bool:
        """Whether agents are at work, by the tenant's clock."""
        return self.opens_next(at) == at.astimezone(UTC)

    def opens_next(self, at: datetime) -> datetime | None:
        """Return ``at`` where it is open then, else when it opens next; None: never. In UTC."""
        at, zone = at.astimezone(UTC), self.tenant.zone
        hours = list(self.hours.all())
        if not hours:
            return at
        today = at.astimezone(zone).date()
        found = []
        # Two weeks: today's may be over, and a span that the clocks skip is there a week later.
        for day in (today + timedelta(days=days) for days in range(2 * _WEEK)):
            for row in hours:
                if row.weekday == day.weekday():
                    opens, ends = row.on(day, zone)
                    if max(opens, at) < ends:
                        found.append(max(opens, at))
        return min(found, default=None)


class OpeningHours(models.Model):
    """A span of a weekday, by the tenant's clock. Past midnight is another row."""

    work_type = models.ForeignKey(WorkType, models.CASCADE, related_name="hours")
    weekday = models.PositiveSmallIntegerField(choices=WEEKDAYS)
    opens = models.TimeField()
    closes = models.TimeField(help_text=_("24:00 is the end of the day."))

    class Meta:
        ordering = ["weekday", "opens"]
        verbose_name = verbose_name_plural = _("opening hours")
        constraints = [
            models.CheckConstraint(name="hours_weekday_known", condition=Q(weekday__lt=_WEEK)),
            models.CheckConstraint(
                name="hours_end_after_they_begin",
                condition=Q(closes__gt=F("opens")) | Q(closes=MIDNIGHT),
                violation_error_message=_("It must close after it opens."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {self.times}"

    @property
    def times(self) -> str:
        closes = END_OF_DAY if self.closes == MIDNIGHT else f"{self.closes:%H:%M}"
        return f"{self.opens:%H:%M} to {closes}"

    def on(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return when it opens and closes on a day, in UTC; the same moment where clocks skip it.

        An hour that the clocks go through twice is in it twice: it opens at the first and closes
        at the second. The day ends where the next one first begins.
        """
        opens = _moment(datetime.combine(day, self.opens), zone)
        if self.closes == MIDNIGHT:
            return opens, _moment(datetime.combine(day + timedelta(days=1), MIDNIGHT), zone)
        return opens, _moment(datetime.combine(day, self.closes), zone, second=True)


def _moment(wall: datetime, zone: ZoneInfo, *, second: bool = False) -> datetime:
    """Return when the clocks show ``wall``; where they skip it, the moment they leap over it.

    ``second``: of two such moments, the later one.
    """
    found = wall.replace(tzinfo=zone, fold=int(second)).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == wall:
        return found
    # Read with the offset from after the leap it lies before it, with the other one behind it.
    before, behind = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (1, 0))
    while behind - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(behind - before) // timedelta(seconds=2))
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            before = middle
        else:
            behind = middle
    return behind
