"""`manage.py notify`: what it refuses, and what it waits for."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from notifications import tasks
from notifications.expansion import finish
from notifications.models import Notification, Recipient, Stage
from notifications.services import stop
from project.access.audit import Actor
from tests.support.channels import make_channel

NOW = datetime(2027, 3, 26, 11, 0, tzinfo=UTC)  # the Friday before Madrid's clocks go forward

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _house(tenant):
    make_channel(tenant, "chat", name="Chat", is_default=True)
    for login in ("ana@acme.example", "bo@acme.example"):
        Recipient.objects.create(tenant=tenant, login=login)


@pytest.fixture
def friday() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def working() -> Iterator[None]:
    """What the workers do, in a thread, without their pauses."""
    ended = threading.Event()

    def work() -> None:
        try:
            while not ended.wait(0.05):
                for pk in Notification.objects.due(timezone.now()).values_list("pk", flat=True):
                    tasks.send(pk)
                for pk in Notification.objects.sending().values_list("pk", flat=True):
                    tasks.expand(pk)
                    finish(pk)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    ended.set()
    thread.join(30)


def run(*args: str) -> str:
    out = StringIO()
    call_command("notify", "--everyone", "--text", "Hello", *args, stdout=out)
    return out.getvalue().strip()


# --- the key ------------------------------------------------------------------------------------


def test_two_messages_whose_keys_begin_alike_are_never_taken_for_one():
    run("--key", "k" * 64)
    for long in ("k" * 64 + "a", "k" * 64 + "b"):
        with pytest.raises(CommandError, match=r"--key: at most 64 characters; this has 65\."):
            run("--key", long)
    assert [row.key for row in Notification.objects.all()] == ["k" * 64]


def test_the_same_key_sends_once():
    assert run("--key", "k" * 64) == run("--key", "k" * 64)
    assert Notification.objects.count() == 1


# --- the time -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("2020-01-01T09:00", "This time has passed; choose a later one."),
        ("2027-03-26T11:57", "This time has passed; choose a later one."),  # 12:00 in Madrid
        ("0001-01-01T00:00", "Choose a year from 2000 to 2200."),
        ("9999-12-31T23:59:59-05:00", "Choose a year from 2000 to 2200."),
        ("2027-03-28T02:30", "the clocks in Europe/Madrid go forward then. Choose 03:30"),
        ("2027-02-30T10:00", "Enter a date and time such as"),
        ("soon", "Enter a date and time such as"),
        ("", "Enter a date and time such as"),
    ],
)
@pytest.mark.usefixtures("friday")
def test_a_time_that_the_compose_page_refuses_is_refused(at, words):
    with pytest.raises(CommandError, match=words) as refused:
        run("--at", at)
    assert str(refused.value).startswith(f"--at {at!r}: ")
    assert not Notification.objects.exists()


@pytest.mark.parametrize(
    ("at", "due"),
    [
        ("2027-03-29T07:30", datetime(2027, 3, 29, 5, 30, tzinfo=UTC)),
        ("2027-03-29T07:30-05:00", datetime(2027, 3, 29, 12, 30, tzinfo=UTC)),
        ("2027-10-31T02:30", datetime(2027, 10, 31, 0, 30, tzinfo=UTC)),  # twice; the first
        ("2027-03-26T11:59", datetime(2027, 3, 26, 10, 59, tzinfo=UTC)),  # typed in time
    ],
)
@pytest.mark.usefixtures("friday")
def test_a_time_is_on_the_tenants_clocks_unless_it_names_others(at, due):
    run("--at", at)
    assert Notification.objects.get().due_at == due


def test_who_repeats_a_command_after_its_time_is_answered_by_what_it_sent():
    with time_machine.travel(NOW, tick=False):
        first = run("--at", "2027-03-29T07:30", "--key", "monday")
    with time_machine.travel(NOW + timedelta(days=30), tick=False):
        assert run("--at", "2027-03-29T07:30", "--key", "monday") == first
        with pytest.raises(CommandError, match="This time has passed"):
            run("--at", "2027-03-29T07:30", "--key", "another")
    assert Notification.objects.count() == 1


@pytest.mark.usefixtures("friday")
def test_a_series_whose_dates_have_all_passed_is_refused():
    with pytest.raises(CommandError, match=r"^The last of its dates has passed\.$"):
        run("--at", "2020-01-01T09:00", "--repeat", "FREQ=DAILY;COUNT=3")
    assert not Notification.objects.exists()


@pytest.mark.usefixtures("friday")
def test_a_series_that_began_goes_on_with_its_next_date():
    run("--at", "2020-01-01T09:00", "--repeat", "FREQ=DAILY")
    assert Notification.objects.get().due_at == datetime(2027, 3, 27, 8, 0, tzinfo=UTC)


# --- waiting ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("working")
def test_waiting_ends_when_every_delivery_is_settled():
    outcome = json.loads(run("--wait", "--json"))
    sent = Notification.objects.get()
    assert outcome == {"notification": sent.pk, "total": 2, "states": {"sent": 2}}
    assert sent.stage == Stage.DONE


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("working")
def test_of_a_series_the_first_occurrence_is_waited_for():
    outcome = json.loads(run("--repeat", "FREQ=DAILY", "--wait", "--json"))
    series = Notification.objects.get(series=None)
    first = series.occurrences.get()
    assert outcome == {
        "notification": series.pk,
        "occurrence": first.pk,
        "total": 2,
        "states": {"sent": 2},
    }
    assert (series.stage, first.stage) == (Stage.SCHEDULED, Stage.DONE)


@pytest.mark.django_db(transaction=True)
def test_a_series_that_is_stopped_before_its_first_date_is_waited_for_no_longer():
    def stop_it() -> None:
        try:
            while not (series := Notification.objects.first()):
                ended.wait(0.05)
            stop(series, by=Actor.hub("test"))
        finally:
            connection.close()

    ended = threading.Event()
    thread = threading.Thread(target=stop_it)
    thread.start()
    at = f"{timezone.now() + timedelta(days=1):%Y-%m-%dT%H:%M}"
    said = run("--at", at, "--repeat", "FREQ=DAILY", "--wait")
    thread.join(30)
    assert said == f"Notification {Notification.objects.get().pk}: 0 people."
