"""How the workers learn of what is due: few hints for many releases, and nothing left out."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone
from django_q.brokers import get_broker

from channels_app.models import ChatMessage
from notifications import due, schedule
from notifications.audience import Audience
from notifications.composing import Draft
from notifications.models import Notification, Recipient, Stage
from notifications.services import notify
from project import hints, stopping
from project.access.audit import Actor
from tests.support.channels import make_channel
from tests.support.workers import wait_for

pytestmark = pytest.mark.django_db(transaction=True)
BY = Actor.hub("test")


@pytest.fixture
def house(tenant):
    make_channel(tenant, "chat", name="Chat", is_default=True)
    Recipient.objects.create(tenant=tenant, login="ana@acme.example")
    return tenant


def release(tenant, text: str = "Hello") -> Notification:
    return notify(tenant, Draft(audience=Audience(everyone=True), body=text), by=BY)


def test_of_many_releases_in_a_moment_the_workers_are_told_once(house, monkeypatch):
    monkeypatch.setattr(hints, "COVER", 600.0)
    for number in range(5):
        release(house, f"Number {number}")
    assert get_broker().queue_size() == 1


def test_once_the_last_hint_is_old_the_workers_are_told_again(house, monkeypatch):
    monkeypatch.setattr(hints, "COVER", 0.0)
    release(house)
    release(house)
    assert get_broker().queue_size() == 2


def test_all_that_is_due_is_sent_by_one_task(house):
    for number in range(5):
        release(house, f"Number {number}")
    due.start_due()
    assert ChatMessage.objects.count() == 5
    assert set(Notification.objects.values_list("stage", flat=True)) == {Stage.DONE}


def test_a_release_while_the_task_looks_out_needs_no_hint(house, monkeypatch):
    monkeypatch.setattr(hints, "WATCH", 60.0)
    monkeypatch.setattr(hints, "hint_watcher", lambda task: None)
    looking = threading.Thread(target=watching)
    looking.start()
    try:
        release(house)
        wait_for(ChatMessage.objects.exists, seconds=40, what="the message")
    finally:
        monkeypatch.setattr(stopping, "requested", lambda: True)
        looking.join(60)


def watching() -> None:
    try:
        due.start_due()
    finally:
        connection.close()


def test_what_can_t_be_started_neither_stops_the_others_nor_is_tried_for_ever(
    house, monkeypatch, caplog
):
    monkeypatch.setattr(hints, "WATCH", 0.0)
    bad, good = release(house, "Bad"), release(house, "Good")
    Notification.objects.filter(pk=bad.pk).update(due_at=timezone.now() - timedelta(hours=1))
    really = schedule.start

    def start(pk, now):
        if pk == bad.pk:
            raise RuntimeError("a broken row")
        return really(pk, now)

    monkeypatch.setattr(due, "start", start)
    get_broker().purge_queue()
    due.start_due()
    assert ChatMessage.objects.get().payload["text"] == "Good"
    get_broker().purge_queue()
    due.start_due()
    assert get_broker().queue_size() == 0, "it would go on for ever"
    good.refresh_from_db()
    assert good.stage == Stage.DONE


@pytest.mark.postgres
def test_a_connection_that_was_dropped_fails_no_request(house, client):
    from tests.support.luma import JAKE, PATH, SEED, token_for

    Recipient.objects.create(tenant=house, login=JAKE)
    headers = {"Authorization": f"Bearer {token_for(house)}"}
    assert (
        client.post(PATH, SEED, content_type="application/json", headers=headers).status_code == 200
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    end_connection(backend)
    connections["default"].__dict__.update(health_check_enabled=True, health_check_done=False)
    assert (
        client.post(PATH, SEED, content_type="application/json", headers=headers).status_code == 200
    )
    assert Notification.objects.count() == 2


def end_connection(backend: int) -> None:
    """Drop it as a restarted server would, from a connection of one's own."""
    import psycopg

    known = connection.settings_dict
    with psycopg.connect(
        host=known["HOST"],
        port=known["PORT"] or None,
        user=known["USER"],
        password=known["PASSWORD"],
        dbname=known["NAME"],
        autocommit=True,
    ) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])


@pytest.mark.postgres
def test_a_column_that_a_migration_has_changed_fails_no_request(house, client):
    from tests.support.luma import JAKE, PATH, SEED, token_for

    Recipient.objects.create(tenant=house, login=JAKE)
    headers = {"Authorization": f"Bearer {token_for(house)}"}

    def ask() -> int:
        answer = client.post(PATH, SEED, content_type="application/json", headers=headers)
        return int(answer.status_code)

    assert ask() == 200
    retype("varchar(90)")
    try:
        assert ask() == 200
        assert ask() == 200
    finally:
        retype("varchar(100)")


def retype(kind: str) -> None:
    """Change the type of a column that the look at a token reads."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE access_tenant ALTER COLUMN name TYPE {kind}")
