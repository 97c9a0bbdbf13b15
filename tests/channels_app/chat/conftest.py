from collections.abc import Callable
from itertools import count

import pytest
from django.test import Client

from channels_app.chat_links import chat_url
from channels_app.dispatch.drain import Drain
from channels_app.models import Agent, Channel, Session, WorkType
from channels_app.sessions import services
from channels_app.sessions.tending import bring_up_all
from project.access.models import Tenant
from tests.support.channels import make_channel


@pytest.fixture
def channel(tenant: Tenant) -> Channel:
    return make_channel(tenant)


@pytest.fixture
def visit(client: Client, channel: Channel, settings):
    """Ask for a page of Ana's window; returns the answer."""

    def go(rest: str = "", *, contact: str = "ana", method: str = "get", **options):
        path = chat_url(channel, contact).removeprefix(settings.BASE_URL)
        return getattr(client, method)(path + rest, **options)

    return go


@pytest.fixture
def write(visit):
    """Send what was typed into the reply box, as the page does without script."""
    tokens = count(1)

    def post(text: str, *, token: str = "", contact: str = "ana", **options):
        data = {"text": text, "token": token or f"page {next(tokens)}"}
        return visit("say", method="post", contact=contact, data=data, **options)

    return post


@pytest.fixture
def billing(channel: Channel) -> WorkType:
    """The work type that takes what people answer."""
    return WorkType.objects.create(
        tenant=channel.tenant, code="32", name="Billing", is_default=True
    )


@pytest.fixture
def mara(billing: WorkType, make_user) -> Agent:
    """An agent, who answers for Billing."""
    user = make_user("Agent", of=billing.tenant)
    agent = Agent.objects.create(tenant=billing.tenant, user=user, alias="Mara")
    agent.work_types.add(billing)
    return agent


@pytest.fixture
def work() -> Callable[[], None]:
    """Do what the workers do: bring up what was opened, send what is due."""

    def run() -> None:
        bring_up_all()
        Drain(linger=False).run()

    return run


@pytest.fixture
def waiting(work) -> Callable[[], Session]:
    """Return the only session, once the workers have brought it up."""

    def get() -> Session:
        work()
        session = Session.objects.get()
        assert session.state == "waiting"
        return session

    return get


@pytest.fixture
def joined(write, waiting, mara: Agent) -> Session:
    """Ana has said hello, and Mara has joined."""
    write("hello")
    return services.join(waiting(), agent=mara)
