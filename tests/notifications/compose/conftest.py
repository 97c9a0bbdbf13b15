import pytest

from channels_app.models import Channel
from notifications.models import Template
from notifications.templating import create_template
from project.access.models import Tenant
from tests.support.channels import make_channel
from tests.support.composing import BY, person


@pytest.fixture(autouse=True)
def chat(tenant: Tenant) -> Channel:
    return make_channel(tenant, "chat", name="Chat", is_default=True)


@pytest.fixture
def email(tenant: Tenant) -> Channel:
    return make_channel(tenant, "email", name="E-mail")


@pytest.fixture(autouse=True)
def people(tenant: Tenant, other_tenant: Tenant) -> None:
    """Four people; of them Ana and Bo hold -4, Bo and Chidi -2. Eve belongs to another house."""
    mail = {"email": "x@acme.example"}
    person(tenant, "ana@acme.example", -4, name="Ana Ruiz", addresses=mail)
    person(tenant, "bo@acme.example", -4, -2, name="Bo Chen", time_zone="Asia/Shanghai")
    person(tenant, "chidi@acme.example", -2, name="Chidi Obi", addresses=mail, opt_outs=["email"])
    person(tenant, "dora@acme.example", name="Dora Dahl", addresses=mail)
    person(other_tenant, "eve@other.example", 7, name="Eve Else")


@pytest.fixture
def outage(tenant: Tenant) -> Template:
    body = (
        'Hello @recipient.first_name, the @event.service is down until @event.until|default:"soon".'
    )
    return create_template(tenant, name="Planned outage", kind="TEXT", body=body, by=BY)
