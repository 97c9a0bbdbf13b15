"""Who it is that writes in a chat window: said by what we know, never by them."""

import pytest
from django.test import Client

from channels_app.chat_links import chat_url
from channels_app.dispatch.drain import Drain
from channels_app.models import Agent, Channel, Session, WorkType
from channels_app.sessions import services
from channels_app.sessions.chat import answer
from channels_app.sessions.services import Said
from channels_app.sessions.tending import bring_up_all
from notifications.models import Recipient
from tests.support.channels import make_channel, say

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def chat(tenant) -> Channel:
    WorkType.objects.create(tenant=tenant, code="32", name="Billing", is_default=True)
    return make_channel(tenant)


def who(chat: Channel, contact: str) -> tuple[str, str]:
    """The name that agents see, and the login that the log has."""
    said = answer(chat, contact, "hello", "t").said
    assert said is not None
    session = Session.objects.get(contact=contact)
    assert said.author_name == session.contact_name
    return session.contact_name, session.attributes["login"]


def test_one_is_known_by_the_address(chat, make_person):
    make_person("ana@acme.example", name="Ana Ruiz", addresses={"chat": "ana-chat"})
    assert who(chat, "ana-chat") == ("Ana Ruiz", "ana@acme.example")


def test_one_without_an_address_is_known_by_the_login_in_any_case(chat, make_person):
    make_person("ana@acme.example", name="Ana Ruiz")
    assert who(chat, "Ana@Acme.example") == ("Ana Ruiz", "ana@acme.example")


def test_whose_name_is_not_known_goes_by_the_login(chat, make_person):
    make_person("bo", addresses={"chat": "bo-chat"})
    assert who(chat, "bo-chat") == ("bo", "bo")


def test_an_address_on_another_kind_of_channel_names_nobody(chat, make_person):
    make_person("ana", name="Ana Ruiz", addresses={"email": "a@acme.example"})
    assert who(chat, "a@acme.example") == ("a@acme.example", "a@acme.example")


def test_another_tenants_people_name_nobody(chat, other_tenant):
    Recipient.objects.create(tenant=other_tenant, login="ana", name="Somebody else")
    assert who(chat, "ana") == ("ana", "ana")


def test_who_is_gone_is_known_by_the_last_message_to_them(chat):
    row = say(chat, "Your bill", contact="ana-chat").delivery
    assert row is not None
    type(row).objects.filter(pk=row.pk).update(recipient="ana@acme.example")
    assert who(chat, "ana-chat") == ("ana@acme.example", "ana@acme.example")


def test_nobody_names_themselves(chat, make_person, settings):
    make_person("ana", name="Ana Ruiz")
    path = chat_url(chat, "ana").removeprefix(settings.BASE_URL)
    claims = {"name": "The Queen", "contact_name": "The Queen", "login": "bo", "contact": "bo"}
    Client().post(f"{path}say?contact=bo", {"text": "hi", "token": "t", **claims})
    session = Session.objects.get()
    assert (session.contact, session.contact_name) == ("ana", "Ana Ruiz")
    assert session.attributes == {"login": "ana"}


def test_whoever_answers_is_reached_there_next(chat, make_person, tenant):
    ana = make_person("ana")
    second = make_channel(tenant, name="Second")
    answer(second, "ana", "hello", "t")
    ana.refresh_from_db()
    assert ana.last_channel == second
    answer(chat, "ana", "hello", "t")
    ana.refresh_from_db()
    assert ana.last_channel == chat


def test_the_log_finds_an_agents_replies_by_the_login(chat, make_person, client_as, make_user):
    make_person("ana@acme.example", name="Ana Ruiz", addresses={"chat": "ana-chat"})
    answer(chat, "ana-chat", "hello", "t")
    bring_up_all()
    agent = Agent.objects.create(tenant=chat.tenant, user=make_user("Agent"), alias="Mara")
    agent.work_types.set(WorkType.objects.all())
    session = services.join(Session.objects.get(), agent=agent)
    services.say(session, Said(text="Good morning"), agent=agent)
    Drain(linger=False).run()
    log = "/admin/channels_app/delivery/?recipient="
    auditor = client_as("Auditor")
    found = auditor.get(f"{log}ana@acme.example").content.decode()
    assert f"/admin/channels_app/delivery/{_last(session)}/change/" in found
    nothing = auditor.get(f"{log}bo@acme.example").content.decode()
    assert f"/admin/channels_app/delivery/{_last(session)}/change/" not in nothing


def _last(session: Session) -> int:
    event = session.events.filter(kind="MESSAGE").get()
    assert event.delivery_id is not None
    return event.delivery_id
