"""What a receiver of webhooks gets, and what its answers mean."""

import hmac
import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta

import pytest

from channels_app.channel_services import rotate
from channels_app.connectors.base import Credentials, Receipt, Rejected, Unavailable
from channels_app.connectors.webhook import Webhook
from channels_app.http import HttpRequest, HttpResponse
from channels_app.http.headers import Headers
from channels_app.models import Channel, Delivery
from tests.support.channels import BY, NOON, make_channel, make_delivery

webhook = Webhook()


@pytest.fixture
def channel(tenant):
    return make_channel(tenant, "webhook")


def request_for(delivery: Delivery, now: datetime = NOON) -> HttpRequest:
    """Ask for a try as a worker does, with the row read anew."""
    row = Delivery.objects.select_related("channel__tenant").get(pk=delivery.pk)
    return webhook.request(row, Credentials.of(row.channel), now)


def verified(request: HttpRequest, secret: str) -> bool:
    """Verify as the Standard Webhooks specification tells receivers to."""
    headers = request.headers
    signed = b".".join(
        [headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), request.body]
    )
    key = b64decode(secret.removeprefix("whsec_"))
    expected = b64encode(hmac.digest(key, signed, "sha256")).decode()
    return any(
        hmac.compare_digest(given, f"v1,{expected}")
        for given in headers["webhook-signature"].split(" ")
    )


def test_the_body_says_what_whom_and_whence(channel):
    delivery = make_delivery(channel, origin_id=7)
    request = request_for(delivery)
    assert (request.method, request.url) == ("POST", "https://hooks.acme.example/in")
    assert json.loads(request.body) == {
        "type": "notification.message",
        "timestamp": "2026-11-21T12:00:00Z",
        "data": {
            "id": delivery.public_id,
            "recipient": "ana",
            "address": "ana@acme.example",
            "content": {"type": "TEXT", "text": "The mail server is down."},
            "notification": 7,
            "tenant": str(channel.tenant.external_id),
        },
    }


def test_a_delivery_of_another_origin_names_no_notification(channel):
    request = request_for(make_delivery(channel, origin_kind="session"))
    assert "notification" not in json.loads(request.body)["data"]


def test_the_body_is_compact_utf_8(channel):
    request = request_for(make_delivery(channel, {"type": "TEXT", "text": "Grüße, 安娜"}))
    assert "Grüße, 安娜".encode() in request.body
    assert b'", "' not in request.body
    assert b'": ' not in request.body


def test_half_of_a_character_does_not_stop_the_message(channel):
    delivery = make_delivery(channel)
    delivery.payload = {"type": "TEXT", "text": "a\ud800b"}
    request = webhook.request(delivery, Credentials.of(channel), NOON)
    assert json.loads(request.body)["data"]["content"]["text"] == "a?b"


def test_a_receiver_can_verify_the_signature(channel):
    request = request_for(make_delivery(channel))
    assert verified(request, channel.secrets["secret"])
    assert not verified(request, Webhook().new_secret("secret"))


def test_the_signature_covers_id_time_and_body(channel):
    request = request_for(make_delivery(channel))
    secret = channel.secrets["secret"]
    other_id = {**request.headers, "webhook-id": "dlv_other"}
    other_time = {**request.headers, "webhook-timestamp": "1"}
    assert not verified(HttpRequest("POST", request.url, other_id, request.body), secret)
    assert not verified(HttpRequest("POST", request.url, other_time, request.body), secret)
    assert not verified(
        HttpRequest("POST", request.url, request.headers, request.body + b" "), secret
    )


def test_a_retry_has_the_same_id_and_bytes_and_its_own_time(channel):
    delivery = make_delivery(
        channel, {"type": "CARD", "title": "Bill", "text": "Due", "actions": []}
    )
    first = request_for(delivery)
    later = request_for(delivery, NOON + timedelta(minutes=5))
    assert first.body == later.body
    assert first.headers["webhook-id"] == later.headers["webhook-id"] == delivery.public_id
    assert first.headers["webhook-timestamp"] == str(int(NOON.timestamp()))
    assert later.headers["webhook-timestamp"] == str(int(NOON.timestamp()) + 300)


def test_neither_id_nor_time_holds_a_dot(channel):
    headers = request_for(make_delivery(channel)).headers
    assert "." not in headers["webhook-id"] + headers["webhook-timestamp"]


def test_a_generated_secret_has_between_24_and_64_random_bytes():
    secrets = {Webhook().new_secret("secret") for _ in range(5)}
    assert len(secrets) == 5
    assert all(24 <= len(b64decode(s.removeprefix("whsec_"))) <= 64 for s in secrets)


def test_in_a_rotation_both_secrets_verify_until_the_overlap_ends(channel, time_machine):
    time_machine.move_to(NOON, tick=False)
    old = channel.secrets["secret"]
    new = rotate(channel, by=BY, overlap=timedelta(hours=24))["secret"]
    delivery = make_delivery(channel)

    during = request_for(delivery, NOON + timedelta(hours=23))
    assert verified(during, old)
    assert verified(during, new)

    after = request_for(delivery, NOON + timedelta(hours=24))
    assert not verified(after, old)
    assert verified(after, new)


def test_a_rotation_without_overlap_ends_the_old_secret_now(channel):
    old = channel.secrets["secret"]
    new = rotate(channel, by=BY, overlap=timedelta())["secret"]
    request = request_for(make_delivery(channel), datetime.now(UTC))
    assert verified(request, new)
    assert not verified(request, old)


def test_a_channel_without_a_secret_waits_for_one(channel):
    Channel.objects.filter(pk=channel.pk).update(sealed="")
    with pytest.raises(Unavailable, match="signing secret"):
        request_for(make_delivery(channel))


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_success(status):
    assert webhook.receipt(HttpResponse(status, body=b"whatever")) == Receipt()


def test_410_means_never_again():
    with pytest.raises(Rejected, match="410"):
        webhook.receipt(HttpResponse(410))


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 429, 500, 503])
def test_anything_else_is_tried_again(status):
    with pytest.raises(Unavailable, match=str(status)):
        webhook.receipt(
            HttpResponse(status, Headers({"Location": "https://elsewhere.example/"}.items()))
        )


def test_retry_after_is_honoured():
    with pytest.raises(Unavailable) as unavailable:
        webhook.receipt(HttpResponse(503, Headers({"Retry-After": "120"}.items())))
    assert unavailable.value.retry_after == timedelta(seconds=120)


def test_an_answer_without_retry_after_asks_for_no_wait():
    with pytest.raises(Unavailable) as unavailable:
        webhook.receipt(HttpResponse(500, Headers({"Retry-After": "soon"}.items())))
    assert unavailable.value.retry_after is None


def test_a_request_costs_no_query(channel, django_assert_num_queries):
    delivery = make_delivery(channel)
    credentials = Credentials.of(channel)
    with django_assert_num_queries(0):
        webhook.request(delivery, credentials, NOON)


def test_numbers_of_any_size_arrive_as_they_are(channel):
    card = {"big": 2**80, "small": -(2**70), "share": 0.1}
    delivery = make_delivery(channel, {"type": "CARD", "card": card})
    assert json.loads(request_for(delivery).body)["data"]["content"]["card"] == card


def test_the_fields_of_a_body_are_sorted_at_every_depth(channel):
    card = {"b": {"z": 1, "é": 2, "a": 3}, "a": []}
    body = request_for(make_delivery(channel, {"type": "CARD", "card": card})).body.decode()
    sorted_again = json.dumps(json.loads(body), sort_keys=True, ensure_ascii=False)
    assert body == sorted_again.replace(", ", ",").replace(": ", ":")
