"""Now, later and repeating: local times as people type them."""

from datetime import UTC, datetime

import pytest
import time_machine

from notifications.models import Notification, Stage
from notifications.schedule import start
from tests.support.composing import LIST, composed, do, filled, page_of, press, problems, shows

NOW = datetime(2026, 3, 27, 11, 0, tzinfo=UTC)  # the Friday before Madrid's clocks go forward


@pytest.fixture(autouse=True)
def _clock():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def admin(client_as):
    return client_as("Administrator", username="mara")


@pytest.fixture
def approver(client_as):
    return client_as("Approver", username="ines")


def test_later_is_a_time_on_the_tenants_clocks(admin):
    notification = composed(admin, "send", when="later", send_at="2026-03-30T07:30")
    assert notification.send_at == notification.due_at == datetime(2026, 3, 30, 5, 30, tzinfo=UTC)
    assert notification.stage == Stage.SCHEDULED
    assert start(notification.pk, datetime(2026, 3, 30, 5, 29, 59, tzinfo=UTC)) is None
    assert start(notification.pk, datetime(2026, 3, 30, 5, 30, tzinfo=UTC)) == notification.pk


@pytest.mark.parametrize(
    ("send_at", "words"),
    [
        ("", "Choose a date and time."),
        ("soon", "Enter a date and time"),
        ("2026-02-30T10:00", "Enter a date and time"),
        ("2026-03-29T02:30", "the clocks in Europe/Madrid go forward then. Choose 03:30"),
        ("2026-03-27T11:00", "This time has passed"),
        ("0001-01-01T00:00", "Choose a year from 2000 to 2200."),
        ("9999-12-31T23:59", "Choose a year from 2000 to 2200."),
        ("2026-03-30T07:30\0", "Null characters are not allowed."),
        ("2026-03-30T07:30" + "0" * 40, "at most 40 characters"),
    ],
)
def test_a_time_that_is_none_is_refused_and_stays_in_its_field(admin, send_at, words):
    response = press(admin, "send", when="later", send_at=send_at)
    assert any(words in problem for problem in problems(response)), problems(response)
    assert not Notification.objects.exists()
    assert shows(response, f'value="{send_at}"') or "\0" in send_at or shows(response, send_at)


def test_a_time_that_comes_twice_is_the_first_and_the_page_says_so(admin):
    form = filled(when="later", send_at="2026-10-25T02:30")
    part = admin.post(LIST + "compose/message/", form)
    assert shows(part, "Europe/Madrid shows this time twice on that day; the first is meant.")
    notification = composed(admin, "send", **form)
    assert notification.due_at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_the_next_five_dates_stand_on_both_clocks(admin):
    form = filled(
        everyone=None,
        contacts="bo@acme.example",
        when="repeat",
        send_at="2026-03-27T18:00",
        repeat="weekdays",
    )
    part = admin.post(LIST + "compose/message/", form).content.decode()
    ours = ["Fri 27 Mar", "Mon 30 Mar", "Tue 31 Mar", "Wed 1 Apr", "Thu 2 Apr"]
    assert [f"{day} 2026, 18:00" in part for day in ours] == [True] * 5
    # Shanghai keeps its clocks, Madrid's go forward in between.
    assert "Sat 28 Mar, 01:00" in part
    assert "Tue 31 Mar, 00:00" in part


@pytest.mark.parametrize(
    ("repeat", "rule", "kept"),
    [
        ("daily", "", "FREQ=DAILY"),
        ("weekly", "ignored", "FREQ=WEEKLY"),
        ("monthly", "", "FREQ=MONTHLY"),
        ("own", " FREQ=MONTHLY;BYDAY=1MO ", "FREQ=MONTHLY;BYDAY=1MO"),
    ],
)
def test_a_series_keeps_its_rule_and_comes_back_as_it_was_typed(admin, repeat, rule, kept):
    form = {"when": "repeat", "send_at": "2026-04-01T09:00", "repeat": repeat, "rule": rule}
    draft = composed(admin, **form)
    assert (draft.repeat, draft.time_zone) == (kept, "Europe/Madrid")
    page = admin.get(page_of(draft))
    assert (
        shows(page, f'<option value="{repeat}" selected>')
        or f'value="{repeat}" selected' in page.content.decode()
    )


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("", "Write a rule, or choose how often."),
        ("tomorrow", "is not a part of a rule"),
        ("FREQ=MINUTELY", "too frequent"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "No date from the start on fits the rule."),
        ("FREQ=DAILY;UNTIL=20200101", "No date from the start on fits the rule."),
        ("FREQ=DAILY;" * 60, "at most 500 characters"),
        ("<script>alert(1)</script>", "is not a part of a rule"),
    ],
)
def test_a_rule_that_is_none_is_refused(admin, rule, words):
    fields = {"when": "repeat", "send_at": "2026-04-01T09:00", "repeat": "own", "rule": rule}
    response = press(admin, "send", **fields)
    assert any(words in problem for problem in problems(response)), problems(response)
    assert not Notification.objects.exists()
    assert "<script>alert" not in response.content.decode()


def test_a_series_approved_late_begins_with_its_next_date(admin, approver):
    fields = {"when": "repeat", "send_at": "2026-03-28T09:00", "repeat": "daily"}
    series = composed(admin, "submit", **fields)
    with time_machine.travel(datetime(2026, 4, 2, 12, 0, tzinfo=UTC), tick=False):
        do(approver, series, "approve", digest=series.digest)
        series.refresh_from_db()
    assert series.due_at == datetime(2026, 4, 3, 7, 0, tzinfo=UTC)


def test_a_series_whose_dates_have_all_passed_is_not_approved(admin, approver):
    rule = {"repeat": "own", "rule": "FREQ=DAILY;COUNT=2"}
    series = composed(admin, "submit", when="repeat", send_at="2026-03-28T09:00", **rule)
    with time_machine.travel(datetime(2026, 4, 2, 12, 0, tzinfo=UTC), tick=False):
        response = do(approver, series, "approve", digest=series.digest)
    assert shows(response, "The last of its dates has passed.")
    series.refresh_from_db()
    assert series.stage == Stage.SUBMITTED


def test_the_occurrences_of_a_series_stand_on_its_page_with_their_books(admin):
    series = composed(admin, "send", when="repeat", send_at="2026-03-28T09:00", repeat="daily")
    first = start(series.pk, datetime(2026, 3, 28, 8, 0, tzinfo=UTC))
    page = admin.get(page_of(series))
    assert shows(page, "Sat 28 Mar 2026, 09:00")
    assert shows(page, f"{LIST}{first}/change/")
    assert shows(page, "repeating")
    later = admin.get(f"{LIST}{series.pk}/progress/")  # an open page finds it by itself
    assert shows(later, f"{LIST}{first}/change/")
    assert shows(admin.get(f"{LIST}{first}/change/"), "All occurrences")


def test_stopping_a_series_stops_the_occurrence_that_is_being_sent(admin):
    series = composed(admin, "send", when="repeat", send_at="2026-03-28T09:00", repeat="daily")
    first = start(series.pk, datetime(2026, 3, 28, 8, 0, tzinfo=UTC))
    do(admin, series, "stop")
    stages = Notification.objects.filter(pk__in=[series.pk, first]).values_list("stage", flat=True)
    assert set(stages) == {Stage.CANCELLED}
    assert start(series.pk, datetime(2026, 4, 28, 8, 0, tzinfo=UTC)) is None


def test_a_copy_leaves_out_a_time_that_has_passed(admin):
    sent = composed(admin, "send", when="later", send_at="2026-03-28T09:00")
    with time_machine.travel(datetime(2026, 4, 2, 12, 0, tzinfo=UTC), tick=False):
        do(admin, sent, "copy")
    assert Notification.objects.exclude(pk=sent.pk).get().send_at is None
