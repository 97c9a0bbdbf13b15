"""Recurrence wherever clocks change: each rule's local time, kept by the documented rule.

A time that the clocks skip moves forward by as much as they do; one that comes twice means the
first. What is expected is reckoned from the offsets on both sides of a change alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from notifications.audience import Audience
from notifications.composing import Draft
from notifications.models import Notification
from notifications.schedule import start
from notifications.services import notify
from notifications.text.recurrence import Recurrence
from project.access.audit import Actor
from project.access.models import Tenant
from tests.support.channels import make_channel

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
fixed = settings(derandomize=True, deadline=None, max_examples=150)

ZONES = [
    *("America/New_York", "Europe/Madrid", "Europe/Dublin", "Australia/Lord_Howe"),
    *("Antarctica/Troll", "Pacific/Apia", "Pacific/Chatham", "Africa/Casablanca"),
    *("America/Sao_Paulo", "America/Havana", "Africa/Cairo", "Asia/Tehran", "America/Nuuk"),
]


class Change(NamedTuple):
    """A change of a zone's clocks: the moment, and the offsets from UTC on both its sides."""

    zone: str
    at: datetime
    before: timedelta
    after: timedelta

    @property
    def walls(self) -> tuple[datetime, datetime]:
        """The naive local times between which one is skipped, or comes twice."""
        naive = self.at.replace(tzinfo=None)
        low, high = sorted((naive + self.before, naive + self.after))
        return low, high

    def moment(self, wall: datetime) -> datetime:
        """When it is that time there, by the documented rule; near the change only."""
        offset = self.before if wall < self.walls[1] else self.after
        return (wall - offset).replace(tzinfo=UTC)


def _offset(zone: str, at: datetime) -> timedelta:
    offset = at.astimezone(ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return offset


@cache
def changes(zone: str) -> list[Change]:
    """Find the changes from 2010 to 2033 that stand alone within a week."""
    found = []
    day = datetime(2010, 1, 1, tzinfo=UTC)
    while day.year < 2033:
        low, high = day, day + 4 * DAY
        if _offset(zone, low) != _offset(zone, high):
            while high - low > MINUTE:
                middle = low + (high - low) // (2 * MINUTE) * MINUTE
                same = _offset(zone, middle) == _offset(zone, low)
                low, high = (middle, high) if same else (low, middle)
            found.append(Change(zone, high, _offset(zone, low), _offset(zone, high)))
        day += 4 * DAY
    return [
        one
        for one in found
        if not any(timedelta() < abs(one.at - other.at) < 8 * DAY for other in found)
    ]


CHANGES = st.sampled_from(ZONES).flatmap(lambda zone: st.sampled_from(changes(zone)))
# Of the span that is skipped or comes twice: before it, in it (at both its ends too), after it.
PLACES = st.sampled_from([-0.5, -0.01, 0.0, 0.01, 0.5, 0.99, 1.0, 1.01, 1.5])
STEPS = st.sampled_from([("HOURLY", HOUR), ("DAILY", DAY), ("WEEKLY", 7 * DAY)])
APIA = Change("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC), -10 * HOUR, 14 * HOUR)


def wall_of(change: Change, place: float) -> datetime:
    low, high = change.walls
    return (low + (high - low) * place).replace(second=0, microsecond=0)


def test_every_zone_has_changes_of_both_kinds():
    for zone in ZONES:
        known = changes(zone)
        assert any(one.after > one.before for one in known), zone
        assert any(one.after < one.before for one in known) or zone == "Africa/Casablanca", zone
    assert APIA in changes("Pacific/Apia"), "the day that Samoa left out"


@fixed
@example(APIA, 0.5, ("DAILY", DAY))
@example(APIA, 0.5, ("HOURLY", HOUR))
@given(CHANGES, PLACES, STEPS)
def test_a_rule_keeps_its_local_time_across_a_change(change, place, step):
    freq, each = step
    wall = wall_of(change, place)
    walls = [wall + number * each for number in range(-80 if freq == "HOURLY" else -3, 4)]
    if freq == "WEEKLY":  # the offsets are known near the change only
        walls = [wall]
    begin = walls[0] - each
    rule = Recurrence.parse(f"FREQ={freq}", start=change.moment(begin), zone=change.zone)
    expected = sorted({change.moment(one) for one in walls})
    found = [one for one in rule.next(90, rule.first) if expected[0] <= one <= expected[-1]]
    assert found == expected


# --- series -------------------------------------------------------------------------------------


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def series_at(change: Change, wall: datetime) -> Notification:
    """A daily notification at that local time, from three days before the change on."""
    tenant = Tenant.objects.create(name="Acme Utilities", time_zone=change.zone)
    make_channel(tenant, is_default=True)
    begin = change.moment(wall - 3 * DAY)
    draft = Draft(
        audience=Audience(everyone=True), body="Hello", send_at=begin, repeat="FREQ=DAILY"
    )
    with time_machine.travel(begin - DAY, tick=False):
        return notify(tenant, draft, by=Actor.hub("test"))


@pytest.mark.django_db
@settings(fixed, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(APIA, 0.5, [20] * 8)
@given(CHANGES, PLACES, st.lists(st.sampled_from([0, 1, 5, 11, 20, 24, 30, 60]), max_size=20))
def test_a_series_leaves_once_each_local_day_however_late_it_is_looked_at(change, place, hours):
    """``hours``: between one look and the next. Of what was missed, only the last leaves."""
    wall = wall_of(change, place)
    expected = sorted({change.moment(wall + number * DAY) for number in range(-3, 4)})
    with undone():
        series = series_at(change, wall)
        now, left = expected[0] - HOUR, None
        for wait in hours:
            now += wait * HOUR
            if now >= expected[-1]:
                break
            last = max((moment for moment in expected if moment <= now), default=None)
            occurrence = start(series.pk, now)
            if last == left:
                assert occurrence is None, "it left twice, or early"
            else:
                assert occurrence is not None, "it did not leave"
                assert Notification.objects.get(pk=occurrence).occurs_at == last
                series.refresh_from_db()
                assert series.due_at == min(moment for moment in expected if moment > now)
            left = last
