"""The access token: one for all workers, fetched in the background, dropped when refused."""

import json
import threading
import time
from base64 import b64decode
from datetime import timedelta
from urllib.parse import parse_qs

import pytest
from django.db import connection
from django.utils import timezone

from channels_app import vendor_tokens
from channels_app.channel_check import check_connection
from channels_app.channel_services import change_channel
from channels_app.dispatch.claims import Lane
from channels_app.dispatch.drain import Drain
from channels_app.models import Attempt, Channel, Session, VendorToken
from project.access.audit import Actor
from tests.support.channels import make_channel
from tests.support.far_alvaria import (
    MESSAGE,
    SESSION,
    TOKEN_PATH,
    alvaria_channel,
    as_json,
    dispatch,
    enqueue_to,
)
from tests.support.receiver import Answer, Receiver

pytestmark = pytest.mark.django_db(transaction=True)
BY = Actor.hub("test")


def test_the_token_is_asked_for_as_the_document_says(channel, far_end):
    vendor_tokens.fetch_token(channel.pk)
    (asked,) = far_end.sent("POST", TOKEN_PATH)
    assert parse_qs(asked.body.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["servermessagingapi"],
        "realm": ["acme"],
    }
    scheme, _, basic = asked.headers["authorization"].partition(" ")
    assert (scheme, b64decode(basic)) == ("Basic", b"client:s3cret")


def test_the_token_is_kept_sealed_and_serves_everybody(channel, far_end):
    enqueue_to(channel, "Ana", "Bo")
    dispatch(channel)
    enqueue_to(channel, "Cy")
    dispatch(channel)
    assert len(far_end.sent("POST", TOKEN_PATH)) == 1
    row = VendorToken.objects.get()
    assert "token-1" not in row.sealed
    assert row.plain == "token-1"
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM channels_app_vendortoken")
        assert "token-1" not in str(cursor.fetchall())


def test_a_loop_without_a_token_asks_for_one_and_serves_the_others(channel, tenant, far_end):
    enqueue_to(channel, "Ana")
    with Receiver() as other:
        webhook = make_channel(tenant, "webhook", settings={"url": other.url})
        enqueue_to(webhook, "bo@acme.example")
        Drain(linger=False).run()
        assert len(other.requests) == 1
    assert not far_end.requests
    assert not Attempt.objects.filter(delivery__channel=channel).exists()


def test_a_worker_fetches_the_token_and_a_waiting_loop_goes_on(channel, far_end, monkeypatch):
    """The hint as it is given, carried out by another thread as a worker would."""
    hinted = []

    def carry_out(task, *args):
        hinted.append((task, args))
        if task.endswith("fetch_token"):
            threading.Thread(target=work, args=args).start()

    def work(pk):
        try:
            vendor_tokens.fetch_token(pk)
        finally:
            connection.close()

    monkeypatch.setattr("channels_app.vendor_tokens.hint", carry_out)
    monkeypatch.setattr("channels_app.dispatch.drain.LIFE", 3.0)
    enqueue_to(channel, "Ana")

    def run() -> None:
        try:
            Drain().run()
        finally:
            connection.close()

    loop = threading.Thread(target=run)
    began = time.monotonic()
    loop.start()
    far_end.wait_for(2, timeout=3)
    assert time.monotonic() - began < 2
    loop.join()
    assert [task for task, _ in hinted].count("channels_app.vendor_tokens.fetch_token") == 1
    assert ("channels_app.tasks.drain", ()) in hinted


def test_the_token_is_renewed_before_its_end_and_used_meanwhile(channel, far_end):
    enqueue_to(channel, "Ana")
    dispatch(channel)
    row = VendorToken.objects.get()
    ends = row.expires_at
    assert ends is not None
    assert row.is_good(ends - timedelta(minutes=2, seconds=1))
    assert not row.is_good(ends - timedelta(minutes=2))
    soon = timezone.now() + timedelta(minutes=4)  # it is good for two more
    VendorToken.objects.update(expires_at=soon, obtained_at=timezone.now() - timedelta(hours=1))
    enqueue_to(channel, "Bo")
    Drain(linger=False).run()
    assert far_end.sent("POST", SESSION)[-1].headers["authorization"] == "Bearer token-1"
    vendor_tokens.fetch_token(channel.pk)
    enqueue_to(channel, "Cy")
    Drain(linger=False).run()
    assert far_end.sent("POST", SESSION)[-1].headers["authorization"] == "Bearer token-2"


def test_a_token_that_lives_shortly_is_used_for_half_of_that(channel, far_end):
    far_end.token_seconds = 20
    enqueue_to(channel, "Ana")
    dispatch(channel)
    assert len(far_end.sent("POST", SESSION)) == 1
    VendorToken.objects.update(obtained_at=timezone.now() - timedelta(seconds=11))
    VendorToken.objects.update(expires_at=timezone.now() + timedelta(seconds=9))
    assert vendor_tokens.held(channel.pk, timezone.now()) is None


def test_two_workers_fetch_one_token(channel, far_end):
    far_end.answer(
        "POST",
        TOKEN_PATH,
        Answer(delay=0.5, body=json.dumps({"access_token": "slow", "expires_in": 3599}).encode()),
    )

    def work():
        try:
            vendor_tokens.fetch_token(channel.pk)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(far_end.sent("POST", TOKEN_PATH)) == 1
    assert VendorToken.objects.get().plain == "slow"


def test_a_token_that_is_refused_is_replaced_and_nothing_is_lost(channel, far_end):
    enqueue_to(channel, "Ana")
    dispatch(channel)
    VendorToken.objects.update(obtained_at=timezone.now() - timedelta(minutes=30))
    far_end.answer("POST", SESSION, Answer(401, body=b""))
    (delivery,) = enqueue_to(channel, "Bo")
    Drain(linger=False).run()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.reason) == ("queued", "Alvaria refused the access token.")
    assert VendorToken.objects.get().sealed == ""
    delivery.due_at = timezone.now()
    delivery.save()
    dispatch(channel)
    assert far_end.sent("POST", SESSION)[-1].headers["authorization"] == "Bearer token-2"
    channel.refresh_from_db()
    assert not channel.is_paused


def test_a_loop_that_still_has_the_old_token_leaves_the_new_one_alone(channel, far_end):
    vendor_tokens.fetch_token(channel.pk)
    one, other = Lane.of(channel.pk), Lane.of(channel.pk)
    now = timezone.now()
    assert one.has_token(now)
    assert other.has_token(now)
    for lane in (one, other):
        lost = lane.lose_token(timezone.now())
        assert lost is not None
        assert lost.value == "token-1"
        vendor_tokens.drop(channel.pk, lost, now=timezone.now())
        VendorToken.objects.update(next_try_at=now)  # the wait after a refusal is over
        vendor_tokens.fetch_token(channel.pk)
    assert VendorToken.objects.get().plain == "token-2"
    assert len(far_end.sent("POST", TOKEN_PATH)) == 2


def test_a_token_is_asked_for_with_what_the_channel_says_then(channel, far_end):
    stale = Channel.objects.select_related("tenant").get(pk=channel.pk)
    channel.settings = {**channel.settings, "client_id": "another"}
    change_channel(channel, by=BY)
    vendor_tokens.renew(stale)
    (asked,) = far_end.sent("POST", TOKEN_PATH)
    assert b64decode(asked.headers["authorization"].partition(" ")[2]) == b"another:s3cret"


def test_many_refused_at_once_drop_one_token_and_do_not_pause_the_channel(channel, far_end):
    vendor_tokens.fetch_token(channel.pk)
    VendorToken.objects.update(obtained_at=timezone.now() - timedelta(minutes=30))
    far_end.answer("POST", SESSION, *[Answer(401, body=b"")] * 40)
    enqueue_to(channel, *[f"Person {number}" for number in range(40)])
    dispatch(channel)
    channel.refresh_from_db()
    assert not channel.is_paused
    assert len(far_end.sent("POST", TOKEN_PATH)) == 2
    assert VendorToken.objects.get().plain == "token-2"


def test_tokens_that_are_refused_as_soon_as_given_are_fetched_ever_more_rarely(channel, far_end):
    waits = []
    for number in range(4):
        VendorToken.objects.update(next_try_at=timezone.now())
        vendor_tokens.fetch_token(channel.pk)
        far_end.answer("POST", SESSION, Answer(401, body=b""))
        enqueue_to(channel, f"Person {number}")
        Drain(linger=False).run()
        row = VendorToken.objects.get()
        waits.append(round((row.next_try_at - timezone.now()).total_seconds() + 0.4))
        assert "refuses the access token" in row.error
    assert waits == [5, 10, 20, 40]
    before = len(far_end.sent("POST", TOKEN_PATH))
    vendor_tokens.fetch_token(channel.pk)  # too early
    assert len(far_end.sent("POST", TOKEN_PATH)) == before


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            as_json(401, {"error": "invalid_client"}),
            "The token service answered 401. invalid_client",
        ),
        (
            as_json(400, {"error": "x", "error_description": "The realm is another."}),
            "The token service answered 400. The realm is another.",
        ),
        (Answer(500, body=b"<h1>"), "The token service answered 500."),
        (as_json(200, {"expires_in": 3599}), "no access token that can be used"),
        (as_json(200, {"access_token": "a b", "expires_in": 3599}), "no access token that can"),
        (as_json(200, {"access_token": "a\r\nX: y", "expires_in": 9}), "no access token that can"),
        (as_json(200, {"access_token": "ä", "expires_in": 3599}), "no access token that can"),
        (as_json(200, {"access_token": "a"}), "does not say how long"),
        (as_json(200, {"access_token": "a", "expires_in": 0}), "does not say how long"),
        (as_json(200, {"access_token": "a", "expires_in": True}), "does not say how long"),
        (as_json(200, {"access_token": "a", "expires_in": 1e300}), "does not say how long"),
        (Answer(drop=True), "The connection was closed"),
    ],
)
def test_a_fetch_that_fails_is_said_and_tried_again_later(channel, far_end, answer, words):
    far_end.answer("POST", TOKEN_PATH, answer)
    (delivery,) = enqueue_to(channel, "Ana")
    dispatch(channel)
    row = VendorToken.objects.get()
    assert words in row.error
    assert 4 < (row.next_try_at - timezone.now()).total_seconds() <= 5
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempt_count) == ("queued", 0)
    VendorToken.objects.update(next_try_at=timezone.now())
    dispatch(channel)
    assert VendorToken.objects.get().error == ""
    assert len(far_end.sent("POST", SESSION)) == 1


def test_a_token_service_that_asks_for_patience_gets_it(channel, far_end):
    far_end.answer("POST", TOKEN_PATH, as_json(429, {}, Retry_After="90"))
    vendor_tokens.fetch_token(channel.pk)
    assert (VendorToken.objects.get().next_try_at - timezone.now()).total_seconds() > 85


def test_a_lifetime_may_be_written_as_a_text(channel, far_end):
    far_end.token_seconds = "3599"
    vendor_tokens.fetch_token(channel.pk)
    expires_at = VendorToken.objects.get().expires_at
    assert expires_at is not None
    lifetime = expires_at - timezone.now()
    assert 3590 < lifetime.total_seconds() <= 3599


def test_a_changed_channel_asks_for_a_token_with_what_was_changed(channel, far_end):
    far_end.answer("POST", TOKEN_PATH, as_json(401, {"error": "invalid_client"}))
    enqueue_to(channel, "Ana")
    dispatch(channel)
    change_channel(channel, by=BY, secrets={"client_secret": "right"})
    dispatch(channel)
    basic = far_end.sent("POST", TOKEN_PATH)[-1].headers["authorization"].partition(" ")[2]
    assert b64decode(basic) == b"client:right"
    assert len(far_end.sent("POST", SESSION)) == 1


def test_a_token_that_comes_after_the_channel_was_changed_is_not_kept(channel, far_end):
    def change_meanwhile(request):
        change_channel(channel, by=BY, secrets={"client_secret": "other"})
        connection.close()
        return as_json(200, {"access_token": "old", "expires_in": 3599})

    with Receiver(change_meanwhile) as slow:
        channel.settings["token_url"] = slow.url
        channel.save()
        vendor_tokens.fetch_token(channel.pk)
    assert not VendorToken.objects.filter(channel=channel).exclude(sealed="").exists()


def test_the_channels_page_says_why_there_is_no_token(channel, far_end, client_as):
    far_end.answer("POST", TOKEN_PATH, as_json(401, {"error": "<b>invalid_client"}))
    vendor_tokens.fetch_token(channel.pk)
    page = client_as("Administrator").get(f"/admin/channels_app/channel/{channel.pk}/change/")
    words = page.content.decode()
    assert "It has no access token; next try at" in words
    assert f"/webhooks/alvaria/{channel.public_id}" in words
    assert "&lt;b&gt;invalid_client" in words


def test_checking_the_connection_asks_for_a_token_and_opens_nothing(channel, far_end):
    found = check_connection(channel, by=BY)
    assert found.ok
    assert "access token, good for 3599 seconds" in found.words
    assert not far_end.sent("POST", SESSION)
    far_end.answer("POST", TOKEN_PATH, as_json(401, {"error": "invalid_client"}))
    assert check_connection(channel, by=BY).words == (
        "The token service answered 401. invalid_client"
    )


def test_two_channels_have_a_token_each(tenant, channel, far_end):
    other = alvaria_channel(tenant, far_end.url, name="Other", settings={"client_id": "other"})
    enqueue_to(channel, "Ana")
    enqueue_to(other, "Ana")
    dispatch(channel, other)
    used = {one.headers["authorization"] for one in far_end.sent("POST", SESSION)}
    assert used == {"Bearer token-1", "Bearer token-2"}
    assert Session.objects.count() == 2
    assert not far_end.sent("POST", MESSAGE)
