"""Who answers for a channel is told by e-mail that it is paused, back, or gone."""

from datetime import timedelta

import pytest
import time_machine
from django_q.brokers import get_broker
from django_q.signing import SignedPackage

from channels_app import tasks
from channels_app.models import Channel
from tests.support.receiver import Answer, Receiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _quiet_queue():
    get_broker().purge_queue()
    yield
    get_broker().purge_queue()


@pytest.fixture
def mails(mailoutbox):
    """Run what the queue holds for owners; return what they got by it."""

    def run() -> list:
        mailoutbox.clear()
        broker = get_broker()
        while found := broker.queue_size() and broker.dequeue():
            for key, package in found:
                task = SignedPackage.loads(package)
                broker.acknowledge(key)
                if task["func"] == "channels_app.tasks.tell_owner":
                    tasks.tell_owner(*task["args"])
        return list(mailoutbox)

    return run


@pytest.fixture
def owner(make_user):
    return make_user("Operator", username="mara", email="mara@acme.example")


@pytest.fixture
def fail(make_channel, make_deliveries, drain):
    """Make a channel and let it fail; so many messages wait for it."""

    def make(url: str, waiting: int = 30, **fields) -> Channel:
        channel: Channel = make_channel(url, max_in_flight=10, **fields)
        make_deliveries(channel, waiting, lifetime=timedelta(days=1))
        drain()
        channel.refresh_from_db()
        assert channel.is_paused
        return channel

    return make


def test_the_owner_is_told_once_a_pause_and_once_it_is_over(fail, mails, owner, drain, settings):
    settings.BASE_URL = "https://hub.acme.example"
    over: list[bool] = []
    with Receiver(lambda request: Answer(200 if over else 503)) as receiver:
        channel = fail(receiver.url, owner=owner)
        (mail,) = mails()
        assert mail.to == ["mara@acme.example"]
        assert mail.subject == "Channel “Channel 1” is paused"
        page = f"https://hub.acme.example/admin/channels_app/channel/{channel.pk}/change/"
        for words in (
            "Acme Utilities",
            "(Europe/Madrid)",
            "Last error: The receiver answered 503.",
            "Waiting: 30 messages",
            page,
        ):
            assert words in mail.body
        for _ in range(3):
            with time_machine.travel(channel.paused_until):
                drain()
                assert mails() == [], "a failed probe was told"
            channel.refresh_from_db()
        over.append(True)
        with time_machine.travel(channel.paused_until):
            drain()
            (mail,) = mails()
        assert mail.to == ["mara@acme.example"]
        assert mail.subject == "Channel “Channel 1” delivers again"


def test_what_waits_is_not_counted_to_the_end(fail, mails, owner):
    with Receiver(lambda request: Answer(503)) as receiver:
        fail(receiver.url, 1100, owner=owner)
    (mail,) = mails()
    assert "Waiting: more than 1,000 messages" in mail.body


@pytest.mark.parametrize("absent", [{"email": ""}, {"is_active": False}, None])
def test_where_no_owner_can_be_reached_the_administrators_are_told(
    fail, mails, make_user, other_tenant, absent
):
    owner = make_user("Operator", **{"email": "away@acme.example", **absent}) if absent else None
    make_user("Administrator", email="one@acme.example")
    make_user("Administrator", email="two@acme.example")
    make_user("Administrator", email="")
    make_user("Administrator", email="left@acme.example", is_active=False)
    make_user("Administrator", email="else@other.example", of=other_tenant)
    make_user("Composer", email="composer@acme.example")
    with Receiver(lambda request: Answer(503)) as receiver:
        fail(receiver.url, owner=owner)
    got = mails()
    assert [mail.to for mail in got] == [["one@acme.example"], ["two@acme.example"]]
    assert "the channel has no owner who can be reached" in got[0].body


def test_the_owner_is_told_that_the_receiver_wants_no_more(
    make_channel, make_deliveries, drain, mails, owner
):
    with Receiver(Answer(410)) as receiver:
        make_deliveries(make_channel(receiver.url, owner=owner))
        drain()
    (mail,) = mails()
    assert mail.subject == "Channel “Channel 1” was put to rest"
    assert "The receiver answered 410" in mail.body


def test_a_mail_server_that_is_away_harms_nobody(fail, mails, owner, settings, caplog):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    with Receiver(lambda request: Answer(503)) as receiver:
        fail(receiver.url, owner=owner)
    assert mails() == []
    assert "could not be told" in caplog.text
