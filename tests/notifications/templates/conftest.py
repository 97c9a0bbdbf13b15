from collections.abc import Callable

import pytest
from django.test import Client

from notifications.models import Template
from notifications.templating import create_template
from project.access.audit import Actor
from project.access.models import Tenant


@pytest.fixture
def make_template(tenant: Tenant) -> Callable[..., Template]:
    def make(name: str = "Outage", *, of: Tenant | None = None, **fields) -> Template:
        given = {"kind": "TEXT", "body": "Hello @recipient.name"} | fields
        return create_template(of or tenant, name=name, by=Actor.hub("tests"), **given)

    return make


@pytest.fixture
def admin_client(client_as: Callable[..., Client]) -> Client:
    return client_as("Administrator")
