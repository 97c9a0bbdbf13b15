from collections.abc import Iterator

import pytest

from channels_app.models import Agent, Channel, Session, Tally, WorkType
from project.access.models import Tenant
from tests.support.far_alvaria import FarEnd, alvaria_channel, open_session


@pytest.fixture
def far_end() -> Iterator[FarEnd]:
    with FarEnd() as far_end:
        yield far_end


@pytest.fixture
def channel(tenant: Tenant, far_end: FarEnd) -> Channel:
    return alvaria_channel(tenant, far_end.url)


@pytest.fixture
def billing(tenant: Tenant) -> WorkType:
    return WorkType.objects.create(tenant=tenant, code="32", name="Billing", is_default=True)


@pytest.fixture
def mara(tenant: Tenant, billing: WorkType, make_user) -> Agent:
    agent = Agent.objects.create(tenant=tenant, user=make_user("Agent"), alias="Mara")
    agent.work_types.add(billing)
    return agent


@pytest.fixture
def books():
    """All tallies together, without zeros."""

    def read() -> dict[str, int]:
        total: dict[str, int] = {}
        for tally in Tally.objects.all():
            for state, count in tally.states.items():
                if count:
                    total[state] = total.get(state, 0) + count
        return total

    return read


@pytest.fixture
def session(channel: Channel, billing: WorkType) -> Session:
    return open_session(channel)
