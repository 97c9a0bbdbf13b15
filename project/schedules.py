"""What the workers' clock starts again and again. This list is the truth, the rows are its copy."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django_q.brokers import Broker
from django_q.models import Schedule
from django_q.tasks import async_task


@dataclass(frozen=True, slots=True)
class Recurring:
    name: str
    task: str  # dotted path of a plain function without arguments
    every: timedelta


# What lost its hint is found within a minute, also where it is first seen to be lost after half
# of one: a lease, or an expansion that stands still.
SCHEDULES = (
    Recurring("sweep deliveries", "channels_app.tasks.sweep", timedelta(seconds=20)),
    Recurring("sweep sessions", "channels_app.sessions.tending.sweep", timedelta(seconds=20)),
    Recurring("sweep access", "project.access.tasks.sweep", timedelta(seconds=20)),
    Recurring("sweep notifications", "notifications.tasks.sweep", timedelta(seconds=20)),
)
LOOKS = 5.0  # seconds between two looks for what is due


def ensure_schedules() -> None:
    """Make the rows say what the list says, and remove every other row.

    `qcluster`, where somebody prefers it, starts them by django-q2's own clock: each minute, with
    up to half a one more. It goes through all rows in one transaction, so a single malformed one
    stops everything. Two hosts that start for the very first time together may each add a row; a
    task too many does no harm, and the next start removes it.
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
                minutes=1,  # nothing less can be said here
                repeats=-1,  # for ever
                # Never in the past: django-q2's clock counts on from there minute by minute.
                next_run=now + entry.every,
            )
            row.save()
            kept.append(row.pk)
        Schedule.objects.exclude(pk__in=kept).delete()


def start_due(broker: Broker) -> None:
    """Hint at what is due. All hosts' clocks look at the same rows, and one of them gets each."""
    now = timezone.now()
    for entry in SCHEDULES:
        # What is much further away than ever planned was planned before the clock was set back;
        # between hosts the clocks may differ a little.
        due = Q(next_run__lte=now) | Q(next_run__gt=now + 2 * entry.every)
        rows = Schedule.objects.filter(due, name=entry.name)
        # Asked first: an update keeps SQLite's other writers out, also where it finds nothing.
        if rows.exists() and rows.update(next_run=now + entry.every):
            async_task(entry.task, broker=broker)


def run_all_soon() -> None:
    """Hint at every task of the list, so that what killed workers left is found at once."""
    for entry in SCHEDULES:
        async_task(entry.task)
