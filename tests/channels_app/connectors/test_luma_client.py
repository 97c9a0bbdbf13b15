"""The client face of Luma: what it posts, and what Luma's answers mean."""

import json
from datetime import timedelta

import pytest

from channels_app.connectors.base import Credentials, Receipt, Rejected, Unavailable
from channels_app.http import HttpResponse
from channels_app.http.headers import Headers
from notifications.vendors.luma.client import Luma
from tests.support.channels import NOON, make_channel, make_delivery

luma = Luma()

# As the seed document prints them.
PRINTED_REQUEST_KEYS = [
    "recipients",
    "botExternalID",
    "template_type",
    "template_id",
    "responseType",
    "message",
    "repeat",
]
PRINTED_ANSWER = b"""
{

    "timestamp": 1534497594873,

   "status": 200,

    "message": "OK",

    "errors": [],

    "data": "success"

}
"""


def envelope(status: int = 200, errors: object = (), http: int = 200) -> HttpResponse:
    body = {
        "timestamp": 1534497594873,
        "status": status,
        "message": "…",
        "errors": list(errors) if isinstance(errors, tuple) else errors,
        "data": None,
    }
    return HttpResponse(http, body=json.dumps(body).encode())


@pytest.fixture
def channel(tenant):
    return make_channel(
        tenant,
        "luma",
        settings={"endpoint": "https://luma3.serviceaide.com/vsa"},
        secrets={"api_token": "t0ken"},
    )


def request_for(channel, payload=None, **fields):
    return luma.request(make_delivery(channel, payload, **fields), Credentials.of(channel), NOON)


def test_the_request_is_the_document_that_luma_prints(channel):
    request = request_for(
        channel,
        {"type": "TEXT", "text": "The server is down until 9 PM (PST).", "subject": "Outage"},
        address="jake@seviceaide.com",
    )
    assert request.method == "POST"
    assert request.url == "https://luma3.serviceaide.com/vsa/public/notifylumauser/message"
    assert request.headers["Authorization"] == "Bearer t0ken"
    assert request.headers["Content-Type"] == "application/json"
    document = json.loads(request.body)
    assert list(document) == PRINTED_REQUEST_KEYS
    assert document == {
        "recipients": {"contacts": ["jake@seviceaide.com"], "roles": [""]},
        "botExternalID": "",
        "template_type": "",
        "template_id": "",
        "responseType": "TEXT",
        "message": "The server is down until 9 PM (PST).",
        "repeat": "",
    }


def test_the_bot_of_the_channel_speaks(channel):
    channel.settings["bot_external_id"] = "bot-7"
    assert json.loads(request_for(channel).body)["botExternalID"] == "bot-7"


def test_an_image_goes_out_as_its_url(channel):
    request = request_for(
        channel, {"type": "IMAGE", "url": "https://acme.example/map.png", "text": "The map"}
    )
    document = json.loads(request.body)
    assert document["responseType"] == "IMAGE"
    assert document["message"] == "https://acme.example/map.png"


def test_a_card_goes_out_as_json_in_a_string(channel):
    card = {
        "title": "Bill ready",
        "text": "Due on Monday",
        "actions": [{"title": "Pay", "url": "https://acme.example/pay"}],
    }
    request = request_for(channel, {"type": "CARD", "subject": "Your bill", **card})
    document = json.loads(request.body)
    assert document["responseType"] == "CARD"
    assert json.loads(document["message"]) == card


@pytest.mark.parametrize("address", ["0", " 0 ", "", "ana,bo", "ana, 0"])
def test_an_address_that_luma_takes_for_others_is_never_sent(channel, address):
    with pytest.raises(Rejected, match="not one Luma contact"):
        request_for(channel, address=address)


def test_the_printed_answer_is_success():
    assert luma.receipt(HttpResponse(200, body=PRINTED_ANSWER)) == Receipt()


def test_204_without_a_body_is_success():
    assert luma.receipt(HttpResponse(204)) == Receipt()


@pytest.mark.parametrize(
    "errors", [["Unknown contact: ana"], [{"message": "Unknown contact: ana"}]]
)
def test_an_error_about_the_contact_is_a_refusal_although_the_status_is_200(errors):
    with pytest.raises(Rejected, match="Unknown contact: ana"):
        luma.receipt(envelope(200, errors))


@pytest.mark.parametrize("http", [200, 400])
def test_400_is_a_refusal_with_lumas_own_reasons(http):
    with pytest.raises(Rejected, match="contact is unknown; message is empty"):
        luma.receipt(envelope(400, ["contact is unknown", "message is empty"], http=http))


def test_a_refusal_fits_into_the_log():
    with pytest.raises(Rejected) as rejected:
        luma.receipt(envelope(400, ["x" * 5000], http=400))
    assert len(str(rejected.value)) == 200


@pytest.mark.parametrize("http", [401, 403, 200])
def test_a_refused_token_waits_for_a_better_one(http):
    status = 401 if http == 200 else http
    with pytest.raises(Unavailable, match="refused the token"):
        luma.receipt(envelope(status, ["Invalid token"], http=http))


@pytest.mark.parametrize("status", [302, 404, 429, 500, 502])
def test_other_statuses_are_tried_again_when_luma_says(status):
    with pytest.raises(Unavailable, match=str(status)) as unavailable:
        luma.receipt(
            HttpResponse(status, Headers({"Retry-After": "30"}.items()), b"<html>busy</html>")
        )
    assert unavailable.value.retry_after == timedelta(seconds=30)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>It works!</html>",
        b"[]",
        b'"success"',
        b"{}",
        b'{"status": "200"}',
        b'{"status": true, "errors": []}',
        b'{"status": 200, "errors": "none"}',
        b'{"status": 200, "errors": [',
    ],
)
def test_a_200_that_is_not_lumas_envelope_is_no_success(body):
    with pytest.raises(Unavailable):
        luma.receipt(HttpResponse(200, body=body))
