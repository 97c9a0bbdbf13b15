"""When what was released leaves: at its time, each occurrence once, and to its end."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from django_q.brokers import get_broker

from channels_app.models import ChatMessage, Delivery, State, Tally
from notifications import tasks
from notifications.audience import Audience
from notifications.composing import Draft
from notifications.expansion import expand_batch
from notifications.models import ORIGIN, Notification, OptOut, Recipient, Stage
from notifications.services import notify
from project.access.audit import Actor
from tests.support.channels import make_channel

pytestmark = pytest.mark.django_db(transaction=True)
BY = Actor.hub("test")


@pytest.fixture
def house(tenant):
    make_channel(tenant, "chat", name="Chat", is_default=True)
    for login in ("ana@acme.example", "bo@acme.example", "chidi@acme.example"):
        Recipient.objects.create(tenant=tenant, login=login)
    return tenant


def release(tenant, **fields) -> Notification:
    draft = Draft(audience=Audience(everyone=True), body="Hello @recipient.login", **fields)
    return notify(tenant, draft, by=BY)


def test_what_is_due_in_a_moment_is_waited_for_and_leaves_at_its_time(house):
    due = timezone.now() + timedelta(seconds=2)
    pk = release(house, send_at=due).pk
    assert get_broker().queue_size() == 1, "no sweep was asked for"
    tasks.sweep()
    started = Notification.objects.get(pk=pk).started_at
    assert started is not None
    assert due <= started <= due + timedelta(seconds=30), "it was left to the next sweep"
    tasks.expand(pk)
    assert ChatMessage.objects.count() == 3


def test_what_is_due_tomorrow_waits(house):
    pk = release(house, send_at=timezone.now() + timedelta(days=1)).pk
    tasks.sweep()
    tasks.send(pk)
    assert Notification.objects.get(pk=pk).stage == Stage.SCHEDULED
    assert not Delivery.objects.exists()


def test_each_occurrence_of_a_series_is_a_notification_of_its_own(house):
    begins = timezone.now() + timedelta(hours=1)
    series = release(house, send_at=begins, repeat="FREQ=DAILY;COUNT=2")
    for day in (0, 0, 1, 2):
        with time_machine.travel(begins + timedelta(days=day, minutes=1)):
            tasks.send(series.pk)
    assert [row.stage for row in series.occurrences.all()] == [Stage.DONE, Stage.DONE]
    series.refresh_from_db()
    assert series.stage == Stage.DONE
    assert ChatMessage.objects.count() == 6


def test_of_missed_occurrences_the_last_is_sent(house):
    begins = timezone.now() + timedelta(hours=1)
    series = release(house, send_at=begins, repeat="FREQ=HOURLY;COUNT=10")
    with time_machine.travel(begins + timedelta(hours=4, minutes=30)):
        tasks.send(series.pk)
    missed = series.occurrences.get().occurs_at
    assert missed == begins.replace(microsecond=0) + timedelta(hours=4)
    series.refresh_from_db()
    assert series.due_at == missed + timedelta(hours=1)


def test_an_expansion_that_lost_its_task_goes_on_where_it_was(house, monkeypatch):
    monkeypatch.setattr("notifications.expansion.BATCH", 2)
    pk = release(house).pk
    with monkeypatch.context() as lost:
        lost.setattr(tasks, "_expand", lambda pk: None)
        tasks.send(pk)
    assert expand_batch(pk) == 2
    get_broker().purge_queue()
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        tasks.sweep()
        assert get_broker().queue_size() == 1
    tasks.expand(pk)
    assert Delivery.objects.count() == ChatMessage.objects.count() == 3
    assert Notification.objects.get(pk=pk).stage == Stage.DONE


def test_an_expansion_run_twice_adds_nobody_twice(house):
    pk = release(house).pk
    tasks.send(pk)
    tasks.expand(pk)
    tasks.send(pk)
    assert Delivery.objects.count() == 3


def test_whoever_opted_out_or_has_no_address_is_in_the_books_and_gets_nothing(house):
    email = make_channel(house, "email", name="E-mail")
    people = list(Recipient.objects.order_by("login"))
    people[0].addresses.create(kind="email", value="ana@acme.example")
    people[1].addresses.create(kind="email", value="bo@acme.example")
    OptOut.objects.create(recipient=people[1], kind="email")
    pk = release(house, channel=email).pk
    while expand_batch(pk) is not None or Notification.objects.filter(
        pk=pk, stage=Stage.SCHEDULED
    ).update(stage=Stage.SENDING, due_at=None):
        pass
    rows = {row.recipient: (row.state, row.reason) for row in Delivery.objects.all()}
    assert rows == {
        "ana@acme.example": (State.QUEUED, ""),
        "bo@acme.example": (State.SUPPRESSED, "Opted out."),
        "chidi@acme.example": (State.FAILED, "No address for E-mail."),
    }
    books = Tally.objects.get(origin_kind=ORIGIN, origin_id=pk)
    assert books.total == 3
