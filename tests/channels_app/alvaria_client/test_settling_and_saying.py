"""What a far end answers is written down while an agent goes on: neither waits for ever."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from channels_app.models import Delivery, Session
from channels_app.sessions import services
from channels_app.sessions.services import NotPossible, Said
from channels_app.vendors.alvaria import steps
from tests.support.far_alvaria import (
    MESSAGE,
    agent_says,
    alvaria_channel,
    dispatch,
    enqueue_to,
    hear,
    refusal,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_agent_writes_while_the_far_end_says_that_the_session_is_gone(
    channel, session, mara, far_end, monkeypatch
):
    hear(channel, agent_says(session))
    session = services.join(session, agent=mara)
    services.say(session, Said("first"), agent=mara)
    far_end.answer("POST", MESSAGE, refusal(404, "Session does not exist"))
    settles = threading.Event()
    found: list[object] = []
    true = steps.settled

    def slowly(tries) -> None:
        settles.set()
        time.sleep(0.7)  # the deliveries and their books are written, the session is not
        true(tries)

    def say() -> None:
        settles.wait(10)
        try:
            found.append(services.say(session, Said("second"), agent=mara))
        except Exception as error:
            found.append(error)
        finally:
            connection.close()

    monkeypatch.setattr(steps, "settled", slowly)
    agent = threading.Thread(target=say)
    agent.start()
    dispatch()
    agent.join(20)
    assert [(type(one), str(one)) for one in found] == [(NotPossible, "The session has ended.")]
    session.refresh_from_db()
    assert (session.state, session.ended_by) == ("ended", "far_end")
    said = Delivery.objects.filter(origin_kind="session").order_by("pk").last()
    assert said is not None
    assert (said.state, said.reason) == ("failed", "Session does not exist")


def test_each_channel_closes_its_own_sessions_after_its_own_silence(tenant, far_end):
    soon = alvaria_channel(tenant, far_end.url, settings={"close_after": "5"}, name="Soon")
    late = alvaria_channel(tenant, far_end.url, settings={"close_after": "600"}, name="Late")
    for channel in (soon, late):
        enqueue_to(channel, "Ana")
    dispatch(soon, late)
    now = timezone.now()
    closing_within = Session.objects.silent(now + timedelta(minutes=6))
    assert [one.channel for one in closing_within] == [soon]
    assert not Session.objects.silent(now + timedelta(minutes=590)).exclude(channel=soon).exists()
    assert Session.objects.silent(now + timedelta(minutes=601)).count() == 2
