from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.test import Client

from channels_app.models import Agent, Channel, Session, WorkType
from channels_app.sessions import services
from channels_app.sessions.services import Said
from project.access.models import ApiClient, Tenant, User
from tests.support.channels import make_channel

LIST = "/admin/channels_app/session/"
NOON = datetime(2026, 11, 23, 11, tzinfo=UTC)  # 12:00 in Madrid, a Monday


def page_of(session: Session) -> str:
    return f"{LIST}{session.pk}/change/"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """The clock stands still until it is moved: ``clock.shift(5)`` (seconds)."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def callbacks(tenant: Tenant) -> Channel:
    return make_channel(
        tenant, "alvaria_callback", name="Callbacks", settings={"url": "https://hooks.example/in"}
    )


@pytest.fixture
def system(tenant: Tenant) -> ApiClient:
    return ApiClient.objects.create(tenant=tenant, name="Shop server")


@pytest.fixture
def billing(tenant: Tenant) -> WorkType:
    return WorkType.objects.create(tenant=tenant, code="32", name="Billing")


@pytest.fixture
def outages(tenant: Tenant) -> WorkType:
    return WorkType.objects.create(tenant=tenant, code="33", name="Outages")


@pytest.fixture
def make_agent(make_user: Callable[..., User], billing, outages) -> Callable[..., Agent]:
    """Make somebody who answers everything: ``make_agent("Mara")``."""

    def make(alias: str, *skills: WorkType, **fields: Any) -> Agent:
        user = fields.pop("user", None) or make_user("Agent", username=alias.lower())
        agent = Agent.objects.create(tenant=billing.tenant, user=user, alias=alias, **fields)
        agent.work_types.set(skills or (billing, outages))
        return agent

    return make


@pytest.fixture
def mara(make_agent: Callable[..., Agent]) -> Agent:
    return make_agent("Mara")


@pytest.fixture
def ines(make_agent: Callable[..., Agent]) -> Agent:
    return make_agent("Ines")


@pytest.fixture
def begin(callbacks, system, billing) -> Callable[..., Session]:
    """A session as a system opens it: ``begin("Ana Ruiz")``; it waits for an agent."""

    def make(name: str = "Ana Ruiz", *, over: Channel | None = None, **fields: Any) -> Session:
        values: dict[str, Any] = {"client": system, "work_type": "32", **fields}
        session = services.open_session(over or callbacks, contact_name=name, **values)
        services.bring_up(session.pk)
        session.refresh_from_db()
        return session

    return make


@pytest.fixture
def theirs(other_tenant: Tenant) -> SimpleNamespace:
    """Another tenant's session, and who has it."""
    channel = make_channel(
        other_tenant, "alvaria_callback", name="Far", settings={"url": "https://far.example/in"}
    )
    kind = WorkType.objects.create(tenant=other_tenant, code="32", name="Secrets")
    user = User.objects.create_user("olga", tenant=other_tenant, is_staff=True)
    agent = Agent.objects.create(tenant=other_tenant, user=user, alias="Olga")
    agent.work_types.add(kind)
    session = services.open_session(channel, client=None, work_type="32", contact_name="Ana Ruiz")
    services.bring_up(session.pk)
    session = services.join(session, agent=agent)
    services.say(session, Said(text="far away"), agent=agent)
    return SimpleNamespace(session=session, agent=agent, kind=kind, channel=channel)


@pytest.fixture
def auditor(clock, client_as: Callable[[str], Client]) -> Client:
    return client_as("Auditor")


@pytest.fixture
def admin(clock, client_as: Callable[[str], Client]) -> Client:
    return client_as("Administrator")
