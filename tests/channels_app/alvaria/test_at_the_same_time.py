"""Two at once at one session: whoever waited for it sees it as it is, not as it was."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from channels_app.models import EventKind, Presence, Session
from channels_app.sessions import services
from channels_app.sessions.locking import locked
from channels_app.sessions.presence import set_presence
from channels_app.sessions.routing import route
from channels_app.sessions.services import NotPossible, join, transfer
from tests.support.alvaria import make_agent, make_work_type

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def here(make_user, work_type):
    """Let an agent sit at the console."""

    def make(alias, *skills, **fields):
        fields = {"seen_at": timezone.now() + timedelta(hours=1), **fields}
        return make_agent(make_user("Agent"), *(skills or [work_type]), alias=alias, **fields)

    return make


def while_held(first: Callable[[], object], second: Callable[[], Any]) -> Any:
    """Do ``first`` in a transaction that is open while ``second`` begins.

    Returns what came of the second, also where it is an error.
    """
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(second())
        except Exception as error:
            found.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        first()
        thread.start()
        time.sleep(0.5)
    thread.join(20)
    return found[0]


def while_started(first: Callable[[], object], second: Callable[[], Any]) -> Any:
    """Do ``first`` in a thread, ``second`` soon after; returns what came of the second."""
    failed: list[Exception] = []

    def run() -> None:
        try:
            first()
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.2)
    done = second()
    thread.join(20)
    assert failed == []
    return done


def test_what_is_locked_is_whole(server, here):
    session, john = server.opened(), here("John")

    def look():
        with transaction.atomic():
            row = locked(session.pk)
            return row.agent_id, row.agent and row.agent.pk

    assert while_held(lambda: join(session, agent=john), look) == (john.pk, john.pk)


def test_the_second_is_told_who_was_faster(server, here):
    session, john, mary = server.opened(), here("John"), here("Mary")
    said = while_held(lambda: join(session, agent=john), lambda: join(session, agent=mary))
    assert isinstance(said, NotPossible)
    assert str(said) == "John has it already."


def test_two_who_route_offer_once(server, here):
    session = server.opened()
    for alias in ("John", "Mary"):
        here(alias)
    while_held(lambda: route(session.tenant), lambda: route(session.tenant))
    assert session.events.filter(kind=EventKind.OFFERED).count() == 1


def test_whoever_has_the_other_skill_may_join_at_the_transfer(server, here, tenant, work_type):
    outages = make_work_type(tenant, "33", "Outages")
    john, mary = here("John"), here("Mary", outages, seen_at=None)
    session = join(server.opened(), agent=john)
    taken = while_held(
        lambda: transfer(session, agent=john, to_work_type=outages),
        lambda: join(session, agent=mary),
    )
    assert taken.agent == mary, taken


def test_nobody_has_more_offers_than_room(server, here):
    john = here("John", capacity=1)
    one, two = (Session.objects.get(public_id=server.open().json()["sessionId"]) for _ in range(2))
    while_held(lambda: services.bring_up(one.pk), lambda: services.bring_up(two.pk))
    assert Session.objects.filter(offered_to=john).count() == 1
    assert Session.objects.waiting().count() == 2


def test_what_was_handed_on_meanwhile_goes_to_nobody_without_the_skill(server, here, tenant):
    outages = make_work_type(tenant, "33", "Outages")
    session, john = server.opened(), here("John")

    def hand_on():
        row = locked(session.pk)
        row.work_type = outages
        row.save(update_fields=["work_type"])

    Session.objects.update(offered_to=None, offered_until=None)
    while_held(hand_on, lambda: route(session.tenant))
    assert not Session.objects.filter(offered_to=john).exists()


def test_who_goes_away_waits_for_sessions_in_the_order_of_everybody(server, here):
    john = here("John")
    one, two = server.opened(), server.opened()
    assert Session.objects.filter(offered_to=john).count() == 2
    Session.objects.filter(pk=one.pk).update(contact_name="Ana")  # lies behind the other one now

    def lock_both():
        with transaction.atomic():
            rows = Session.objects.select_for_update().filter(pk__in=[one.pk, two.pk])
            return [row.pk for row in rows.order_by("pk")]

    def go_away_meanwhile():
        return while_started(lambda: set_presence(john, Presence.AWAY), lock_both)

    assert while_held(lambda: locked(two.pk), go_away_meanwhile) == [one.pk, two.pk]
    assert not Session.objects.filter(offered_to=john).exists()
