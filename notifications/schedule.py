"""Starting what is due: single notifications at their time, and series at each occurrence."""

from datetime import datetime, timedelta

from django.db import transaction

from notifications.composing import draft_of
from notifications.models import Notification, Stage
from notifications.text.recurrence import RecurrenceError
from project.access.audit import Actor, record

# A sweep stays for what is due so soon, well beyond the next one.
AHEAD = timedelta(seconds=75)


def start(pk: int, now: datetime) -> int | None:
    """Start a due notification; returns what is to be expanded, None when it is not due.

    For a series that is a new notification, its occurrence. Of several occurrences that were
    missed while nothing ran, the last is sent and the others are left out.
    """
    with transaction.atomic():
        row = (
            Notification.objects.due(now)
            .select_for_update(of=("self",))
            .select_related("tenant", "template__template")
            .filter(pk=pk)
            .first()
        )
        if row is None:
            return None
        if row.is_series:
            return _occur(row, now).pk
        row.stage, row.started_at, row.due_at = Stage.SENDING, now, None
        row.save()
    return row.pk


def _occur(series: Notification, now: datetime) -> Notification:
    """Make the occurrence that is due and move the series to its next one, or to its end."""
    occurs_at, next_at = _around(series, now)
    occurrence, _ = Notification.objects.get_or_create(
        series=series,
        occurs_at=occurs_at,
        defaults={
            "tenant": series.tenant,
            "title": series.title,
            "stage": Stage.SENDING,
            "audience": series.audience,
            "kind": series.kind,
            "template": series.template,
            "body": series.body,
            "message": series.message,
            "event": series.event,
            "channel": series.channel,
            "priority": series.priority,
            "digest": series.digest,
            "composed_by": series.composed_by,
            "approved_by": series.approved_by,
            "approved_at": series.approved_at,
            "approved_count": series.approved_count,
            "started_at": now,
        },
    )
    series.due_at = next_at
    series.started_at = series.started_at or now
    if next_at is None:
        series.stage, series.finished_at = Stage.DONE, now
    series.save()
    record(
        Actor.hub("schedule"),
        "notification.occur",
        tenant=series.tenant,
        target=occurrence,
        series=series.pk,
    )
    return occurrence


def _around(series: Notification, now: datetime) -> tuple[datetime, datetime | None]:
    """Return the last occurrence up to ``now`` and the first one after it."""
    due = series.due_at or now
    try:
        recurrence = draft_of(series).recurrence(series.tenant)
    except RecurrenceError:
        recurrence = None  # zone data may have changed under a stored rule: end the series
    if recurrence is None:
        return due, None
    while (following := recurrence.after(due)) is not None and following <= now:
        due = following
    return due, following
