"""A channel whose secrets don't open waits, and nothing else does."""

import logging

import pytest

from channels_app.dispatch.claims import Lane
from channels_app.dispatch.drain import Drain
from channels_app.models import Channel
from channels_app.secrets import SecretsUnreadable
from tests.support.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)

UNREADABLE = "gAAAAABnonsense"


def test_a_loop_says_once_that_a_channel_cannot_be_used(
    make_channel, make_deliveries, books, caplog, monkeypatch
):
    monkeypatch.setattr("channels_app.dispatch.drain.LIFE", 2.0)
    monkeypatch.setattr("channels_app.dispatch.rotation.REST", 0.5)
    with Receiver() as receiver:
        broken = make_channel(receiver.url)
        Channel.objects.filter(pk=broken.pk).update(sealed=UNREADABLE)
        make_deliveries(broken, origin=1)
        make_deliveries(make_channel(receiver.url), 3, origin=2)
        with caplog.at_level(logging.ERROR):
            Drain().run()
    said = [record for record in caplog.records if "can't be used" in record.getMessage()]
    assert len(said) == 1
    assert books(1) == {"queued": 1}
    assert books(2) == {"sent": 3}


def test_a_channel_that_can_be_used_again_is_found_by_the_same_loop(
    make_channel, make_deliveries, books, monkeypatch
):
    monkeypatch.setattr("channels_app.dispatch.rotation.REST", 0.0)
    with Receiver() as receiver:
        channel = make_channel(receiver.url)
        sealed = channel.sealed
        Channel.objects.filter(pk=channel.pk).update(sealed=UNREADABLE)
        make_deliveries(channel)
        loop = Drain(linger=False)
        loop._turn()
        assert books() == {"queued": 1}
        Channel.objects.filter(pk=channel.pk).update(sealed=sealed)
        loop.run()
    assert books() == {"sent": 1}


def test_a_changed_channel_that_does_not_open_is_not_used_as_it_was(make_channel):
    channel = make_channel("http://old.example/")
    lane = Lane(channel)
    changed = Channel.objects.get(pk=channel.pk)
    changed.settings, changed.sealed = {"url": "http://new.example/"}, UNREADABLE
    changed.save()
    for _ in range(2):
        with pytest.raises(SecretsUnreadable):
            lane.refresh(changed.updated_at)
