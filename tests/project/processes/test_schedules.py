"""The rows of django-q2's clock, kept to a list in code."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import Schedule
from django_q.scheduler import scheduler

from project.schedules import SCHEDULES, ensure_schedules, run_all_soon

pytestmark = pytest.mark.django_db


def rows() -> set[tuple[str | None, str]]:
    return set(Schedule.objects.values_list("name", "func"))


LISTED = {(entry.name, entry.task) for entry in SCHEDULES}


def test_each_entry_has_one_row_however_often_it_is_ensured() -> None:
    ensure_schedules()
    ids = set(Schedule.objects.values_list("pk", flat=True))
    ensure_schedules()
    assert rows() == LISTED
    assert set(Schedule.objects.values_list("pk", flat=True)) == ids


def test_rows_that_are_not_in_the_list_are_removed() -> None:
    Schedule.objects.create(name="stray", func="os.getcwd", args="not python(")
    Schedule.objects.create(name=SCHEDULES[0].name, func="os.getcwd")
    Schedule.objects.create(name=SCHEDULES[0].name, func="os.getcwd")
    ensure_schedules()
    assert rows() == LISTED
    assert Schedule.objects.count() == len(SCHEDULES)


def test_a_row_that_was_changed_is_put_right() -> None:
    ensure_schedules()
    Schedule.objects.update(
        kwargs="broken(",
        repeats=0,
        minutes=600,
        cluster="elsewhere",
        next_run=None,
        hook="os.abort",
    )
    ensure_schedules()
    for row in Schedule.objects.all():
        assert (row.kwargs, row.repeats, row.minutes, row.cluster) == (None, -1, 1, None)


@pytest.mark.django_db(transaction=True)
def test_the_clock_starts_what_is_due() -> None:
    ensure_schedules()
    before = get_broker().queue_size()
    Schedule.objects.update(next_run=timezone.now() - timedelta(seconds=1))
    scheduler()
    assert get_broker().queue_size() == before + len(SCHEDULES)
    assert not Schedule.objects.filter(next_run__lte=timezone.now()).exists()


def test_every_task_of_the_list_is_hinted_at_on_a_start() -> None:
    before = get_broker().queue_size()
    run_all_soon()
    assert get_broker().queue_size() == before + len(SCHEDULES)


def test_every_task_of_the_list_can_be_found() -> None:
    from django.utils.module_loading import import_string

    for entry in SCHEDULES:
        assert callable(import_string(entry.task))
