"""A house with two work types, whose customers write through a custom server."""

from collections.abc import Callable

import pytest
from django.test import Client

from channels_app.models import Agent, Channel, Presence, Session, WorkType
from channels_app.sessions.services import Said, accept_message, bring_up, open_session
from project.access.models import Tenant, User
from tests.support.channels import make_channel
from tests.support.console import Desk

SESSION_BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def channel(tenant: Tenant) -> Channel:
    url = {"url": "https://hooks.acme.example/alvaria"}
    return make_channel(tenant, "alvaria_callback", name="Callbacks", settings=url)


@pytest.fixture
def billing(tenant: Tenant) -> WorkType:
    return WorkType.objects.create(tenant=tenant, code="32", name="Billing")


@pytest.fixture
def outages(tenant: Tenant) -> WorkType:
    return WorkType.objects.create(tenant=tenant, code="33", name="Outages")


@pytest.fixture
def write(channel: Channel, billing: WorkType) -> Callable[..., Session]:
    """Let a customer open a session that waits, and say something in it."""

    def go(name: str = "Ana Ruiz", *said: str | Said, **more) -> Session:
        work_type = more.pop("work_type", billing)
        more = {"client": None, "integration": "SMS", **more}
        session = open_session(
            more.pop("channel", channel), work_type=work_type.code, contact_name=name, **more
        )
        bring_up(session.pk)
        session.refresh_from_db()
        for words in said:
            accept_message(session, words if isinstance(words, Said) else Said(words))
        return session

    return go


@pytest.fixture
def sit(
    make_user: Callable[..., User], billing: WorkType, outages: WorkType
) -> Callable[..., Desk]:
    """Seat an agent at the console: ``sit("Mara")``, available and with all skills."""

    def go(alias: str, *skills: WorkType, group: str = "Agent", **fields) -> Desk:
        user = make_user(group, username=alias.lower(), of=fields.pop("of", None))
        assert user.tenant is not None
        fields = {"presence": Presence.AVAILABLE, **fields}
        agent = Agent.objects.create(tenant=user.tenant, user=user, alias=alias, **fields)
        agent.work_types.set(skills or [billing, outages])
        client = Client()
        client.force_login(user, backend=SESSION_BACKEND)
        return Desk(agent, client)

    return go


@pytest.fixture
def mara(sit: Callable[..., Desk]) -> Desk:
    return sit("Mara")
