"""The rows of the workers' clock, kept to a list in code."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import Schedule
from django_q.scheduler import scheduler

from project.schedules import LOOKS, SCHEDULES, ensure_schedules, run_all_soon, start_due

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


def started(later: timedelta) -> int:
    """How many tasks the clock starts when it is so much later than now."""
    broker = get_broker()
    with time_machine.travel(timezone.now() + later):
        before = broker.queue_size()
        start_due(broker)
        return int(broker.queue_size() - before)


def test_the_clock_starts_each_task_once_whenever_it_is_due() -> None:
    ensure_schedules()
    for number in range(5):
        turn = number * SCHEDULES[0].every + timedelta(seconds=1)
        assert started(turn) == (len(SCHEDULES) if number else 0)
        assert started(turn) == 0, "another host's clock started it again"


def test_a_clock_that_is_set_back_goes_on_at_once() -> None:
    ensure_schedules()
    back = timedelta(minutes=-10)
    assert started(back) == len(SCHEDULES)
    assert started(back) == 0


def test_what_lost_its_hint_is_found_within_a_minute() -> None:
    """Also where it is seen to be lost after half a minute alone, and a look is missed."""
    assert all(entry.every.total_seconds() + 2 * LOOKS <= 30 for entry in SCHEDULES)


@pytest.mark.django_db(transaction=True)
def test_django_q2_s_own_clock_starts_them_as_well() -> None:
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
