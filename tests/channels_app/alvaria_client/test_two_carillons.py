"""One house is client of the other: a channel of kind ``alvaria`` calls this server's own routes.

Both faces are the real ones, with real connections between them, and keys as they are handed out:
what the one writes must be what the other reads, in both directions.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from oauth2_provider.models import AccessToken

from channels_app import vendor_tokens
from channels_app.callback_token import seal
from channels_app.channel_services import rotate
from channels_app.dispatch.drain import Drain
from channels_app.http import Seal
from channels_app.models import (
    Agent,
    Attempt,
    Channel,
    Delivery,
    InboundEvent,
    Message,
    Session,
    VendorToken,
    WorkType,
)
from channels_app.sessions import services, tending
from channels_app.sessions.services import Said
from channels_app.signing_keys import public_pem
from channels_app.vendors.alvaria.inbound import carry_out_all
from project.access.audit import Actor
from project.access.models import ApiClient, Tenant
from project.access.models.client import Scope
from project.access.oauth import issue_credentials
from tests.support.channels import make_channel
from tests.support.far_alvaria import enqueue_to

pytestmark = pytest.mark.django_db(transaction=True)

BY = Actor.hub("test")


def agent_of(tenant: Tenant, user: Any, alias: str, work_type: WorkType) -> Agent:
    agent = Agent.objects.create(tenant=tenant, user=user, alias=alias)
    agent.work_types.add(work_type)
    return agent


class House:
    """What one of the two has."""

    def __init__(self, tenant: Tenant, agent: Agent, work_type: WorkType) -> None:
        self.tenant, self.agent, self.work_type = tenant, agent, work_type
        self.channel: Channel

    @property
    def session(self) -> Session:
        """The newest."""
        return Session.objects.of(self.tenant).latest("pk")

    def texts(self) -> list[tuple[str, str]]:
        messages = Message.objects.of_session(self.session)
        return list(messages.values_list("author_name", "text"))


@pytest.fixture
def houses(
    tenant: Tenant, other_tenant: Tenant, live_server: Any, make_user: Callable[..., Any]
) -> tuple[House, House]:
    """The near one, which is client, and the far one, which answers as Alvaria does."""
    found = []
    for one, alias in ((tenant, "Nia"), (other_tenant, "Faro")):
        one.is_demo = True  # may call this machine
        one.save()
        work_type = WorkType.objects.create(tenant=one, code="32", name="Billing", is_default=True)
        user = make_user("Agent", of=one)
        found.append(House(one, agent_of(one, user, alias, work_type), work_type))
    near, far = found
    client = ApiClient.objects.create(
        tenant=far.tenant, name="Near house", scopes=[Scope.SERVER_MESSAGING], rate_limit=100_000
    )
    given = issue_credentials(client, by=BY)
    near.channel = make_channel(
        near.tenant,
        "alvaria",
        name="To the far house",
        settings={
            "token_url": f"{live_server.url}/tokenservice/oauth2/access_token",
            "api_url": live_server.url,
            "org_id": far.tenant.org_id,
            "client_id": given.client_id,
            "work_type_id": "32",
            "integration": "Carillon",
        },
        secrets={"client_secret": given.client_secret, "api_key": given.api_key},
    )
    url = f"{live_server.url}/webhooks/alvaria/{near.channel.public_id}"
    far.channel = make_channel(
        far.tenant, "alvaria_callback", name="Callbacks", settings={"url": url}
    )
    near.channel.settings["public_key"] = public_pem(far.channel.secrets["private_key"])
    near.channel.save()
    return near, far


def go_on(near: House, rounds: int = 4) -> None:
    """Do what the workers of both would do."""
    for _ in range(rounds):
        vendor_tokens.fetch_token(near.channel.pk)
        tending.bring_up_all()
        Drain(linger=False).run()
        carry_out_all()


def test_a_conversation_from_one_house_to_the_other_and_back(houses):
    near, far = houses
    (delivery,) = enqueue_to(near.channel, "Ana", payload={"type": "TEXT", "text": "Bill 7 is due"})
    go_on(near)
    delivery.refresh_from_db()
    assert delivery.state == "sent"
    assert far.session.state == "waiting"
    assert (far.session.contact_name, far.session.integration) == ("Ana", "Carillon")
    assert far.texts() == [("Ana", "Bill 7 is due")]
    assert near.session.vendor_id == str(far.session.public_id)

    services.join(far.session, agent=far.agent)
    services.say(far.session, Said(text="Which one? “ü” 漢"), agent=far.agent)
    go_on(near)
    assert near.session.state == "waiting"
    assert near.texts()[1:] == [("Faro", "Which one? “ü” 漢")]

    services.join(near.session, agent=near.agent)
    picture = Said("This one", "Image", "https://img.example/bill.png")
    services.say(near.session, picture, agent=near.agent)
    go_on(near)
    arrived = Message.objects.of_session(far.session).latest("pk")
    assert (arrived.text, arrived.attachment_url, arrived.state) == (
        "This one",
        "https://img.example/bill.png",
        "processed",
    )

    services.end_by_agent(near.session, agent=near.agent)
    go_on(near)
    assert (far.session.state, far.session.ended_by) == ("ended", "contact")
    assert (near.session.state, near.session.ended_by) == ("ended", "agent")
    assert not Delivery.objects.exclude(state="sent").exists()
    assert set(InboundEvent.objects.values_list("state", flat=True)) == {"processed"}


def test_the_far_agent_hands_on_and_ends(houses, make_user):
    near, far = houses
    enqueue_to(near.channel, "Ana")
    go_on(near)
    services.join(far.session, agent=far.agent)
    other = agent_of(far.tenant, make_user("Agent", of=far.tenant), "Sol", far.work_type)
    services.transfer(far.session, agent=far.agent, to_agent=other)
    services.join(far.session, agent=other)
    services.say(far.session, Said(text="Sol here"), agent=other)
    services.end_by_agent(far.session, agent=other)
    go_on(near)
    assert near.texts()[1:] == [("Sol", "Sol here")]
    assert (near.session.state, near.session.ended_by) == ("ended", "far_end")
    kinds = near.session.events.order_by("pk").values_list("kind", flat=True)
    story = ["AGENT_JOINED", "SESSION_REROUTE", "AGENT_JOINED", "SESSION_END"]
    assert [kind for kind in kinds if kind in story] == story


def test_the_far_house_has_no_such_work_type(houses):
    near, far = houses
    far.work_type.is_active = False
    far.work_type.save()
    (delivery,) = enqueue_to(near.channel, "Ana")
    go_on(near)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.reason) == ("failed", "Work type does not exist")
    assert (near.session.state, far.session.state) == ("failed", "failed")


def test_a_message_that_the_far_house_cannot_take_is_failed_here(houses):
    near, far = houses
    far.tenant.is_demo = False  # then nothing inside is for its agents to open
    picture = {"type": "IMAGE", "url": "http://192.168.0.1/a.png"}
    (delivery,) = enqueue_to(near.channel, "Ana", payload=picture)
    go_on(near)
    delivery.refresh_from_db()
    assert delivery.state == "failed"
    assert "private network" in delivery.reason


def test_a_message_after_the_far_end_is_failed_with_the_documents_words(houses):
    near, far = houses
    enqueue_to(near.channel, "Ana")
    go_on(near)
    services.join(far.session, agent=far.agent)
    services.end_by_agent(far.session, agent=far.agent)
    (late,) = enqueue_to(near.channel, "Ana")  # the end has not been heard of here
    Drain(linger=False).run()
    go_on(near)
    late.refresh_from_db()
    assert (late.state, late.reason) == ("failed", "Session does not exist")
    assert near.session.state == "ended"


def test_the_far_house_asks_for_patience_and_gets_it(houses):
    near, _ = houses
    ApiClient.objects.update(rate_limit=1)
    enqueue_to(near.channel, "Ana", "Bo", "Cy")
    vendor_tokens.fetch_token(near.channel.pk)
    Drain(linger=False).run()
    refused = Attempt.objects.filter(delivery__channel=near.channel, status=429)
    assert refused.count() >= 1
    for attempt in refused:
        assert "Too many requests" in attempt.error
        assert attempt.delivery.state == "queued"
    ApiClient.objects.update(rate_limit=100_000)
    waiting = Delivery.objects.filter(channel=near.channel, state="queued", vendor_id="")
    for one in waiting:
        Delivery.objects.filter(pk=one.pk).update(due_at=one.created_at)
    go_on(near)
    assert set(Delivery.objects.of(near.tenant).values_list("state", flat=True)) == {"sent"}


def test_a_far_house_that_has_forgotten_the_token_gives_another(houses):
    near, _ = houses
    enqueue_to(near.channel, "Ana")
    go_on(near)
    AccessToken.objects.all().delete()
    (second,) = enqueue_to(near.channel, "Bo")
    go_on(near, rounds=1)
    second.refresh_from_db()
    assert second.reason == "Alvaria refused the access token."
    VendorToken.objects.update(next_try_at=second.created_at)
    Delivery.objects.filter(pk=second.pk).update(due_at=second.created_at)
    go_on(near)
    second.refresh_from_db()
    assert second.state == "sent"


def test_the_far_house_changes_its_key_over(houses):
    near, far = houses
    enqueue_to(near.channel, "Ana")
    go_on(near)
    rotate(far.channel, by=BY, overlap=timedelta(0))
    services.join(far.session, agent=far.agent)
    go_on(near)
    told = Delivery.objects.filter(channel=far.channel).latest("pk")
    assert (told.state, Attempt.objects.filter(delivery=told).get().status) == ("queued", 401)
    new = public_pem(Channel.objects.get(pk=far.channel.pk).secrets["private_key"])
    near.channel.settings["public_key"] += f"\n{new}"
    near.channel.save()
    Delivery.objects.filter(pk=told.pk).update(due_at=told.created_at)
    go_on(near)
    assert near.session.events.filter(kind="AGENT_JOINED").exists()


def test_the_header_without_bearer_is_believed_as_well(houses, monkeypatch):
    near, _ = houses

    def bare(key, unsigned):
        made = seal(key, unsigned)

        def headers(signature: bytes) -> dict[str, str]:
            return {
                name: value.removeprefix("Bearer ")
                for name, value in made.headers(signature).items()
            }

        return Seal(made.sign, headers)

    monkeypatch.setattr("channels_app.vendors.alvaria.callbacks.seal", bare)
    enqueue_to(near.channel, "Ana")
    go_on(near)
    assert InboundEvent.objects.filter(kind="NEW_SESSION", state="processed").count() == 1
    assert Delivery.objects.get(channel=near.channel).state == "sent"
