from collections.abc import Callable

import pytest

from channels_app.models import Agent, Channel, WorkType
from project.access.models import Tenant, User
from tests.support.alvaria import (
    CustomServer,
    make_agent,
    make_api_client,
    make_callbacks,
    make_work_type,
)


@pytest.fixture
def callbacks(tenant: Tenant) -> Channel:
    return make_callbacks(tenant)


@pytest.fixture
def work_type(tenant: Tenant) -> WorkType:
    """The one of the document's sample request."""
    return make_work_type(tenant)


@pytest.fixture
def server(tenant: Tenant, callbacks: Channel, work_type: WorkType) -> CustomServer:
    """A custom server with a token, whose sessions come up."""
    return CustomServer(make_api_client(tenant)).sign_in()


@pytest.fixture
def john(make_user: Callable[..., User], work_type: WorkType) -> Agent:
    return make_agent(make_user("Agent"), work_type)
