"""One tenant's channel of kind ``luma`` calls this server with another tenant's token.

Both faces are the real ones, with a real connection between them: what the client face writes
must be what the server face reads.
"""

import json
from typing import Any

import pytest
from django.utils import timezone

from channels_app.dispatch.drain import Drain
from channels_app.models import Attempt, Channel, ChatMessage, Delivery
from notifications import tasks
from notifications.audience import Audience
from notifications.composing import Draft
from notifications.expansion import expand_batch
from notifications.models import Notification
from notifications.schedule import start
from notifications.services import notify
from project.access.models import ApiToken, Tenant
from project.access.services import revoke_token
from tests.support.channels import make_channel
from tests.support.luma import BY, person, token_for

pytestmark = pytest.mark.django_db(transaction=True)

NEAR, FAR = "ana@near.example", "Ana@far.example"
CARD = {
    "title": "Bill @ once",
    "text": 'Due "soon", 漢 @recipient.name',
    "actions": [{"title": "Pay", "url": "https://pay.example/?a=@b&c=1"}],
}


@pytest.fixture
def far(other_tenant: Tenant) -> Channel:
    """The far house: a chat window for Ana."""
    person(other_tenant, FAR)
    return make_channel(other_tenant, "chat", name="Far chat", is_default=True)


@pytest.fixture
def near(tenant: Tenant, far: Channel, live_server: Any) -> Tenant:
    """The near house, which knows Ana at the far one, and nobody there by the name of Bo."""
    tenant.is_demo = True  # may call this machine
    tenant.save()
    make_channel(
        tenant,
        "luma",
        name="To the far house",
        settings={"endpoint": f"{live_server.url}/vsa"},
        secrets={"api_token": token_for(far.tenant, name="Near house")},
        is_default=True,
    )
    person(tenant, NEAR).addresses.create(kind="luma", value=FAR.lower())
    person(tenant, "bo@near.example")
    return tenant


def send(tenant: Tenant, login: str, body: str, kind: str = "TEXT") -> Delivery:
    draft = Draft(audience=Audience(contacts=(login,)), kind=kind, body=body)
    pk = notify(tenant, draft, by=BY).pk
    start(pk, timezone.now())
    while expand_batch(pk) is not None:
        pass
    Drain(linger=False).run()  # the loop of a worker would stay for the retries
    return Delivery.objects.get(origin_id=pk, tenant=tenant)


def read_at_the_far_house(far: Channel) -> list[Any]:
    for notification in Notification.objects.of(far.tenant):
        tasks.send(notification.pk)
    messages = ChatMessage.objects.window(far, FAR)
    return [{k: v for k, v in message.payload.items() if k != "subject"} for message in messages]


@pytest.mark.parametrize(
    ("kind", "body", "arrives"),
    [
        ("TEXT", "Hello @@recipient.name,\n“ü” 漢", {"text": "Hello @recipient.name,\n“ü” 漢"}),
        ("IMAGE", "https://img.example/a.png?x=1", {"url": "https://img.example/a.png?x=1"}),
        ("CARD", json.dumps(CARD).replace("@", "@@"), CARD),
    ],
)
def test_a_message_crosses_from_one_to_the_other(near, far, kind, body, arrives):
    delivery = send(near, NEAR, body, kind)
    assert (delivery.state, delivery.attempt_count) == ("sent", 1)
    assert read_at_the_far_house(far) == [{"type": kind, **arrives}]


def test_the_far_house_says_whom_it_does_not_know(near, far):
    delivery = send(near, "bo@near.example", "Hello")
    assert delivery.state == "failed"
    assert "Nobody is known as bo@near.example" in delivery.reason
    assert not Notification.objects.of(far.tenant).exists()


def test_a_token_that_is_revoked_at_the_far_house_leaves_the_message_waiting(near, far):
    revoke_token(ApiToken.objects.get(client__tenant=far.tenant), by=BY)
    delivery = send(near, NEAR, "Hello")
    assert delivery.state == "queued"
    assert Attempt.objects.get(delivery=delivery).status == 401
    assert read_at_the_far_house(far) == []
