"""A loop that hands over, or is told to stop, repeats nothing that could have ended."""

from collections import Counter
from datetime import datetime, timedelta
from time import monotonic

import pytest
from django.db import connection

from channels_app.dispatch.drain import Drain
from channels_app.dispatch.retry import JITTER, planned_after
from channels_app.models import Attempt, Delivery, State
from channels_app.models.channel import Kind
from project import stopping
from tests.support.receiver import Answer, Receiver
from tests.support.smtp import MailServer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mail(settings):
    """Point the installation at a mail server."""

    def point(server: MailServer) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port

    return point


@pytest.fixture
def short_life(monkeypatch):
    """Loops hand over soon; who is told to stop gets no time at all."""
    monkeypatch.setattr("channels_app.dispatch.drain.LIFE", 0.5)
    monkeypatch.setattr("channels_app.dispatch.drain.GRACE", 0.1)


def test_a_loop_that_hands_over_waits_for_its_requests(
    make_channel, make_deliveries, books, short_life
):
    came: list[float] = []

    def long_after_the_loops_end() -> bool:
        came.append(monotonic())
        return monotonic() > came[0] + 2

    with Receiver(lambda request: Answer(until=long_after_the_loops_end)) as receiver:
        make_deliveries(make_channel(receiver.url, max_in_flight=5), 12)
        assert Drain().run(), "another loop is to go on"
        assert books() == {"sent": 5, "queued": 7}
        while Drain(linger=False).run():
            pass
        assert len(receiver.requests) == 12
    assert books() == {"sent": 12}
    assert set(Attempt.objects.values_list("number", "outcome")) == {(1, "accepted")}


def test_leases_are_renewed_while_a_loop_hands_over(
    make_channel, make_deliveries, books, short_life, monkeypatch
):
    for module in ("claims", "hand"):
        monkeypatch.setattr(f"channels_app.dispatch.{module}.LEASE", timedelta(seconds=0.9))
    leases: set[datetime | None] = set()

    def renewed() -> bool:
        leases.add(Delivery.objects.values_list("lease_until", flat=True).get())
        connection.close()  # the receiver's thread has its own
        return len(leases) > 5  # more than it sees before the loop's life is over

    with Receiver(lambda request: Answer(until=renewed)) as receiver:
        make_deliveries(make_channel(receiver.url))
        Drain().run()
    assert books() == {"sent": 1}


def test_a_loop_that_hands_over_mails_nobody_twice(
    make_channel, make_deliveries, books, mail, short_life
):
    with MailServer(delay=0.5) as server:  # a batch takes twenty times as long as a loop lives
        mail(server)
        make_deliveries(make_channel(kind=Kind.EMAIL), 60)
        assert Drain().run(), "another loop is to go on"
        sent = len(server.messages)
        assert 0 < sent < 60
        assert books() == {"sent": sent, "queued": 60 - sent}
        server.delay = 0.05
        while Delivery.objects.filter(state=State.QUEUED).exists():
            Drain(linger=False).run()
            assert books()["sent"] == len(server.messages), "one was sent that is not settled"
        ids = Counter(message["Message-ID"] for message in server.messages)
    assert len(ids) == 60
    assert set(ids.values()) == {1}
    assert set(Attempt.objects.values_list("number", "outcome")) == {(1, "accepted")}
    assert set(Delivery.objects.values_list("attempt_count", flat=True)) == {1}


def test_what_has_not_left_when_the_worker_stops_is_no_try(
    make_channel, make_deliveries, books, mail, monkeypatch
):
    with MailServer(delay=0.5) as server:  # a batch takes longer than the grace
        monkeypatch.setattr(stopping, "requested", lambda: bool(server.messages))
        mail(server)
        make_deliveries(make_channel(kind=Kind.EMAIL), 60)
        assert not Drain(linger=False).run()
        sent = len(server.messages)
    assert books() == {"sent": sent, "queued": 60 - sent}
    assert 0 < sent < 60
    assert Attempt.objects.count() == sent
    assert not Attempt.objects.exclude(outcome="accepted").exists()
    waiting = Delivery.objects.filter(state=State.QUEUED)
    assert set(waiting.values_list("attempt_count", "holder", "lease_until")) == {(0, "", None)}


def test_each_email_of_a_batch_is_timed_by_itself(make_channel, make_deliveries, drain, mail):
    refusals = dict.fromkeys(range(1, 5), "451 later")
    with MailServer(delay=0.3, data=refusals) as server:
        mail(server)
        rows = make_deliveries(make_channel(kind=Kind.EMAIL), 4)
        drain()
    attempts = list(Attempt.objects.order_by("started_at"))
    assert len({attempt.started_at for attempt in attempts}) == len(rows)
    planned = planned_after(1).total_seconds()
    ends = []
    for attempt in attempts:
        assert attempt.duration is not None
        assert attempt.next_at is not None
        assert attempt.duration >= 0.3
        ends.append(attempt.started_at + timedelta(seconds=attempt.duration))
        wait = (attempt.next_at - ends[-1]).total_seconds()
        assert planned * (1 - JITTER) - 0.001 <= wait <= planned + 0.001
    for end, after in zip(ends, attempts[1:], strict=False):
        assert (after.started_at - end).total_seconds() >= -0.001, "two overlap"
