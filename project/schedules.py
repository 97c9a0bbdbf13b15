"""What the workers' clock starts again and again. This list is the truth, the rows are its copy."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django_q.models import Schedule
from django_q.tasks import async_task


@dataclass(frozen=True, slots=True)
class Recurring:
    name: str
    task: str  # dotted path of a plain function without arguments
    minutes: int


SCHEDULES = (
    Recurring("sweep deliveries", "channels_app.tasks.sweep", minutes=1),
    Recurring("sweep notifications", "notifications.tasks.sweep", minutes=1),
)


def ensure_schedules() -> None:
    """Make the rows say what the list says, and remove every other row.

    django-q2's clock goes through all rows in one transaction, so a single malformed one stops
    everything. Two hosts that start for the very first time together may each add a row; a task
    too many does no harm, and the next start removes it.
    """
    now = timezone.now()
    kept = []
    with transaction.atomic():
        for entry in SCHEDULES:
            # Rows keep their ids: another host's clock may be about to save them.
            ids = (
                Schedule.objects.filter(name=entry.name).order_by("pk").values_list("pk", flat=True)
            )
            row = Schedule(
                pk=ids.first(),
                name=entry.name,
                func=entry.task,
                schedule_type=Schedule.MINUTES,
                minutes=entry.minutes,
                repeats=-1,  # for ever
                # Never in the past: the clock counts on from there minute by minute.
                next_run=now + timedelta(minutes=entry.minutes),
            )
            row.save()
            kept.append(row.pk)
        Schedule.objects.exclude(pk__in=kept).delete()


def run_all_soon() -> None:
    """Hint at every task of the list, so that what killed workers left is found at once."""
    for entry in SCHEDULES:
        async_task(entry.task)
