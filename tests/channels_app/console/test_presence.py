"""Offers go to whoever is available and has the console open; nobody else is asked."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_app.models import Agent, Event, EventKind, Presence, Session
from channels_app.sessions.presence import SEEN_EVERY
from channels_app.sessions.routing import GONE_AFTER
from tests.support.console import part

pytestmark = pytest.mark.django_db


def offered_to(session: Session) -> Agent | None:
    session.refresh_from_db()
    return session.offered_to


def ago(desk, span: timedelta) -> None:
    Agent.objects.filter(pk=desk.agent.pk).update(seen_at=timezone.now() - span)


def test_becoming_available_brings_what_waits(sit, write):
    desk, session = sit("Mara", presence=Presence.AWAY), write()
    desk.page()
    assert offered_to(session) is None
    answer = desk.do("presence", presence="available")
    assert "You are available · 0 of 4" in part(answer, "me")
    assert "Offered to you" in part(answer, "waiting")
    assert offered_to(session) == desk.agent


def test_opening_the_console_brings_what_waits(mara, write):
    session = write()
    assert offered_to(session) is None  # she is available, but her console was never open
    mara.page()
    assert offered_to(session) == mara.agent


def test_going_away_hands_offers_to_the_next(sit, write):
    mara, ines = sit("Mara"), sit("Ines")
    mara.page()
    session = write()
    ines.page()
    assert offered_to(session) == mara.agent
    answer = mara.do("presence", presence="away")
    assert "You are away" in part(answer, "me")
    assert offered_to(session) == ines.agent
    assert Event.objects.get(kind=EventKind.PASSED).data == {"agentAlias": "Mara"}


def test_going_away_keeps_what_is_in_hand(mara, write):
    session = mara.has(write())
    answer = mara.do("presence", presence="away")
    assert "You are away · 1 of 4 in hand" in part(answer, "me")
    session.refresh_from_db()
    assert session.agent == mara.agent


def test_a_look_hands_a_lapsed_offer_on(sit, write):
    mara, ines = sit("Mara"), sit("Ines")
    mara.page()
    session = write()
    ines.page()
    Session.objects.filter(pk=session.pk).update(offered_until=timezone.now())
    ines.live()
    assert offered_to(session) == ines.agent


def test_a_look_takes_what_nobody_was_there_for(mara, write):
    mara.page()
    ago(mara, GONE_AFTER)
    session = write()
    assert offered_to(session) is None
    mara.live()
    assert offered_to(session) == mara.agent


def test_a_full_agent_is_offered_nothing_more(sit, write):
    mara = sit("Mara", capacity=1)
    mara.has(write())
    session = write("Chidi Obi")
    mara.live()
    assert offered_to(session) is None


def test_while_one_moves_offers_on_another_look_does_not(mara, write, tenant):
    mara.page()
    session = write()
    Session.objects.filter(pk=session.pk).update(offered_to=None, offered_until=None)
    cache.add(f"routing:{tenant.pk}", 1)
    assert mara.live().status_code == 200
    assert offered_to(session) is None
    cache.clear()
    mara.live()
    assert offered_to(session) == mara.agent


def test_no_more_is_offered_than_there_are_places_for(sit, write):
    mara = sit("Mara", capacity=2)
    for name in ("Ana Ruiz", "Bo Chen", "Chidi Obi", "Lena Vogt"):
        write(name)
    assert part(mara.page(), "waiting").count("Offered to you") == 2
    mara.has(Session.objects.get(contact_name="Ana Ruiz"))
    assert part(mara.live(), "waiting").count("Offered to you") == 1  # and one place is taken
    lapsed = Session.objects.filter(offered_to=mara.agent)
    lapsed.update(offered_until=timezone.now())
    assert part(mara.live(), "waiting").count("Offered to you") == 1


def test_who_takes_another_session_keeps_no_offer_without_a_place(sit, write):
    mara = sit("Mara", seen_at=timezone.now(), capacity=1)
    one = write("Ana Ruiz")
    one.refresh_from_db()
    assert one.offered_to == mara.agent
    ines = sit("Ines", seen_at=timezone.now())
    two = write("Bo Chen")
    mara.has(two)
    one.refresh_from_db()
    assert one.offered_to == ines.agent


def test_who_has_places_left_keeps_the_oldest_offers(sit, write):
    mara = sit("Mara", seen_at=timezone.now(), capacity=3)
    first, second, third = (write(name) for name in ("Ana", "Bo", "Chidi"))
    sit("Ines", seen_at=timezone.now())
    mara.has(write("Dana"))
    kept = Session.objects.filter(offered_to=mara.agent).order_by("pk")
    assert list(kept) == [first, second]
    third.refresh_from_db()
    assert third.offered_to is not None
    assert third.offered_to.alias == "Ines"


def test_a_look_with_nothing_to_route_writes_nothing(sit, write):
    mara = sit("Mara", capacity=1)
    for name in ("Ana Ruiz", "Bo Chen"):
        write(name)
    mara.page()
    with CaptureQueriesContext(connection) as asked:
        mara.live()
    assert not [query for query in asked if query["sql"].startswith(("UPDATE", "INSERT"))]


def test_being_there_is_written_once_in_a_while(mara):
    mara.page()
    ago(mara, SEEN_EVERY / 2)
    before = Agent.objects.get(pk=mara.agent.pk).seen_at
    mara.live()
    assert Agent.objects.get(pk=mara.agent.pk).seen_at == before
    ago(mara, SEEN_EVERY)
    mara.live()
    just_now = timezone.now() - timedelta(seconds=2)
    assert Agent.objects.filter(pk=mara.agent.pk, seen_at__gt=just_now).exists()


def test_an_unknown_presence_changes_nothing(mara):
    assert mara.do("presence", presence="asleep").status_code == 400
    assert Agent.objects.get(pk=mara.agent.pk).presence == Presence.AVAILABLE


def test_without_script_a_deed_leads_back_to_the_page(mara, write):
    session = write()
    response = mara.client.post(f"/admin/channels_app/session/console/{session.public_id}/join/")
    assert response.status_code == 302
    assert response.url.endswith(f"/console/?session={session.public_id}")
    refused = mara.client.post(
        f"/admin/channels_app/session/console/{session.public_id}/transfer/",
        {"to": "agent-99"},
        follow=True,
    )
    assert "Choose an agent or a work type that is available." in refused.content.decode()
