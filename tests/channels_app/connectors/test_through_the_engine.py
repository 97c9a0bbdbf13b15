"""Each kind of channel, driven by the dispatch loop against a real far end."""

from base64 import urlsafe_b64encode
from datetime import timedelta
from hashlib import sha256

import jwt
import pytest
from django.utils import timezone

from channels_app.dispatch.drain import Drain
from channels_app.http import Seal
from channels_app.models import Attempt, Delivery, State
from channels_app.services import enqueue, open_books
from tests.support.channels import make_channel, make_rsa_key
from tests.support.receiver import Answer, Receiver
from tests.support.smtp import MailServer


@pytest.fixture
def demo(tenant):
    tenant.is_demo = True
    tenant.save()
    return tenant


@pytest.fixture
def send(demo):
    """Put one delivery for each address into the engine, run it, return the rows."""

    def run(channel, *addresses: str) -> list[Delivery]:
        now = timezone.now()
        open_books(demo, "test", 1)
        enqueue(
            [
                Delivery(
                    tenant=demo,
                    channel=channel,
                    origin_kind="test",
                    origin_id=1,
                    recipient_id=number,
                    recipient=address,
                    address=address,
                    payload={"type": "TEXT", "text": "Hello", "subject": "Hello"},
                    due_at=now,
                    deadline=now + timedelta(hours=4),
                )
                for number, address in enumerate(addresses)
            ],
            kind="test",
            pk=1,
        )
        Drain(linger=False).run()
        return list(Delivery.objects.order_by("pk"))

    return run


def test_email_goes_out_and_each_refusal_stands_in_the_log(demo, send, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    refused = {"gone@acme.example": "550 no such user", "busy@acme.example": "451 later"}
    with MailServer(rcpt=refused) as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        rows = send(
            make_channel(demo, "email"),
            "ana@acme.example",
            "gone@acme.example",
            "busy@acme.example",
            "no address",
        )
    assert [row.state for row in rows] == [
        State.SENT,
        State.FAILED,
        State.QUEUED,
        State.FAILED,
    ]
    assert [message["To"] for message in server.messages] == ["ana@acme.example"]
    errors = Attempt.objects.order_by("delivery_id").values_list("error", flat=True)
    assert list(errors) == [
        "",
        "The mail server answered 550: no such user",
        "The mail server answered 451: later",
        "The address is not an e-mail address.",
    ]


def test_luma_gets_one_request_each_and_its_refusals_stand_in_the_log(demo, send):
    def luma(request):
        contact = request.json()["recipients"]["contacts"][0]
        if contact == "nobody":
            body = b'{"timestamp":1,"status":400,"errors":["nobody is unknown"],"data":null}'
            return Answer(400, body=body)
        return Answer(body=b'{"timestamp":1,"status":200,"errors":[],"data":"success"}')

    with Receiver(luma) as receiver:
        channel = make_channel(
            demo, "luma", settings={"endpoint": receiver.url}, secrets={"api_token": "t0ken"}
        )
        rows = send(channel, "ana", "nobody", "0")
    assert [row.state for row in rows] == [State.SENT, State.FAILED, State.FAILED]
    assert rows[1].reason == "Luma refused the message: nobody is unknown"
    assert {r.headers["authorization"] for r in receiver.requests} == {"Bearer t0ken"}
    contacts = [request.json()["recipients"]["contacts"] for request in receiver.requests]
    assert sorted(contacts) == [["ana"], ["nobody"]]


def signing_channel(tenant, url: str):
    private, public = make_rsa_key()
    channel = make_channel(tenant, "webhook", settings={"url": url})
    channel.keep_secrets({**channel.secrets, "private_key": private})
    channel.save()
    return channel, public


def test_each_of_many_signed_messages_has_a_token_of_its_own(demo, send):
    with Receiver() as receiver:
        channel, public = signing_channel(demo, receiver.url)
        rows = send(channel, *[f"person{number}@acme.example" for number in range(60)])
    tokens = {}
    for request in receiver.requests:
        scheme, token = request.headers["authorization"].split(" ")
        claims = jwt.decode(token, public, ["RS256"])
        digest = urlsafe_b64encode(sha256(request.body).digest()).rstrip(b"=").decode()
        assert (scheme, claims["bodyHash"]) == ("Bearer", digest)
        assert claims["jti"] == request.headers["webhook-id"]
        tokens[claims["jti"]] = token
    assert sorted(tokens) == sorted(row.public_id for row in rows)
    assert len(set(tokens.values())) == 60


def test_a_signature_that_fails_is_tried_again_later(demo, send, monkeypatch):
    def fail():
        raise MemoryError

    failing = Seal(fail, lambda made: {})
    monkeypatch.setattr("channels_app.connectors.webhook.seal", lambda *_: failing)
    with Receiver() as receiver:
        channel, _ = signing_channel(demo, receiver.url)
        (row,) = send(channel, "ana@acme.example")
    assert not receiver.requests
    attempt = Attempt.objects.get()
    assert (row.state, attempt.outcome) == (State.QUEUED, "unavailable")
    assert attempt.error == "The request could not be signed: MemoryError"
