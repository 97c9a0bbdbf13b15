"""A house with agents at their desks, and a customer over the API."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from channels_app.models import Agent, Presence, Session, WorkType
from channels_app.sessions.tending import bring_up_all
from project.access.models import Tenant
from tests.support.console import CONSOLE
from tests.support.custom_server import CustomServer
from tests.support.receiver import Receiver
from tests.support.workers import workers


@pytest.fixture
def house(transactional_db, tenant: Tenant) -> Tenant:
    """A tenant whose callbacks may go to this machine."""
    tenant.is_demo = True
    tenant.save()
    for code, name in (("32", "Billing"), ("33", "Outages")):
        WorkType.objects.create(tenant=tenant, code=code, name=name)
    return tenant


@pytest.fixture
def customer(house: Tenant, site: str) -> Iterator[CustomServer]:
    with Receiver() as receiver:
        yield CustomServer.of(house, site=site, receiver=receiver)


@pytest.fixture
def seat(house: Tenant, make_user) -> Callable[..., Agent]:
    def make(alias: str, **fields):
        user = make_user("Agent", username=alias.lower())
        agent = Agent.objects.create(tenant=house, user=user, alias=alias, **fields)
        agent.work_types.set(WorkType.objects.all())
        return agent

    return make


@pytest.fixture
def mara(seat: Callable[..., Agent]) -> Agent:
    return seat("Mara", presence=Presence.AVAILABLE)


@pytest.fixture
def work(tmp_path):
    return lambda: workers(tmp_path / "workers.log")


@pytest.fixture
def at_desk(browse) -> Callable[..., Page]:
    """Open the console in a window of the agent's own."""

    def open_console(agent: Agent, **options):
        page = browse(agent.user, **options)
        page.goto(CONSOLE)
        expect(page.locator("[data-part=me]")).to_be_visible()
        return page

    return open_console


@pytest.fixture
def waiting(house, customer: CustomServer) -> Callable[..., Session]:
    """Let a customer wait, brought up here instead of by workers."""

    def make(name: str, *texts: str) -> Session:
        public_id = customer.opens(name)
        for text in texts:
            customer.says(public_id, text)
        bring_up_all()
        return Session.objects.get(public_id=public_id)

    return make
