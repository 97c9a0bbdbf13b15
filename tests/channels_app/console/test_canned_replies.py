"""A slash brings the tenant's texts, worded for the contact."""

import re
from html import unescape

import pytest

from channels_app.models import Session
from notifications.templating import create_template, ensure_default_template, retire_template
from tests.support.channels import make_channel
from tests.support.composing import BY, person
from tests.support.console import CONSOLE

pytestmark = pytest.mark.django_db


@pytest.fixture
def text(tenant):
    return lambda name, body, kind="TEXT": create_template(
        tenant, name=name, kind=kind, body=body, by=BY
    )


@pytest.fixture
def session(mara, write):
    return mara.has(write("Ana Ruiz"))


@pytest.fixture
def offered(mara, session):
    """What is offered for a query: pairs of text and blanks."""

    def ask(query: str = "", of: Session = session) -> list[tuple[str, str]]:
        url = f"{CONSOLE}{of.public_id}/replies/"
        html = mara.client.get(url, {"q": query}).content.decode()
        found = re.findall(r'data-text="(.*?)" data-blanks="(.*?)"', html, re.DOTALL)
        return [(unescape(text), blanks) for text, blanks in found]

    return ask


def test_the_contacts_name_is_filled_in(offered, text):
    text("Thanks", "Thank you, @recipient.first_name. @tenant.name is glad to help.")
    assert offered() == [("Thank you, Ana. Acme Utilities is glad to help.", "")]


def test_typing_narrows_them_down_whatever_the_case(offered, text):
    text("Ärger mit der Rechnung", "one")
    text("Planned outage", "two")
    assert [body for body, _ in offered("ärger")] == ["one"]
    assert [body for body, _ in offered("OUT plan")] == ["two"]
    assert offered("nothing of the kind") == []


def test_what_nobody_can_fill_in_is_left_blank_for_the_agent(offered, text):
    text("Outage", 'The @event.service is back at @event.until|default:"a later time".')
    assert offered() == [("The [service] is back at a later time.", "[service]")]


def test_what_is_no_answer_is_not_offered(offered, text, tenant, other_tenant):
    ensure_default_template(tenant)
    text("Map", "https://a.example/map.png", "IMAGE")
    retire_template(text("Old", "old"), by=BY)
    create_template(other_tenant, name="Theirs", kind="TEXT", body="theirs", by=BY)
    text("Shouted", "Until @event.until|upper")  # the blank would read like any other word
    assert offered() == []


def test_at_most_eight_are_offered(offered, text):
    for number in range(12):
        text(f"Reply {number:02}", f"text {number}")
    assert [body for body, _ in offered()] == [f"text {number}" for number in range(8)]


def test_a_person_of_the_chat_window_is_known_by_login(mara, offered, text, tenant, billing):
    person(tenant, "ana@acme.example", name="Ana María Ruiz")
    chat = make_channel(tenant, name="Chat")
    session = Session.objects.create(
        tenant=tenant,
        channel=chat,
        work_type=billing,
        contact="Ana@acme.example",
        contact_name="Ana",
        state="active",
        agent=mara.agent,
    )
    text("Who", "@recipient.name, @recipient.login")
    assert offered(of=session) == [("Ana María Ruiz, ana@acme.example", "")]


def test_a_name_with_variables_in_it_is_just_a_name(mara, write, text, offered):
    session = mara.has(write("@tenant.name <b>"))
    text("Hello", "Hello @recipient.name")
    assert offered(of=session) == [("Hello @tenant.name <b>", "")]
