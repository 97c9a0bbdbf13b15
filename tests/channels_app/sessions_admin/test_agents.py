"""The agents' pages: who answers, under which name, how much at once."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.utils import timezone

from channels_app.models import Agent, Presence
from channels_app.sessions import services
from project.access.models import AuditEntry, User

AGENTS = "/admin/channels_app/agent/"


def page_of(agent: Agent) -> str:
    return f"{AGENTS}{agent.pk}/change/"


def text(response) -> str:
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))
    return unescape(plain)


def actions() -> list[tuple[str, dict]]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", "details"))


@pytest.fixture
def add(admin, billing):
    def send(user: User, **fields):
        sent = {"user": user.pk, "alias": "", "capacity": "4", "work_types": [billing.pk], **fields}
        return admin.post(f"{AGENTS}add/", sent, follow=True)

    return send


def test_an_agent_is_made_of_a_user_and_goes_by_the_first_name(add, make_user, tenant, billing):
    user = make_user("Agent", username="mkohler", first_name="Mara", last_name="Köhler")
    assert add(user).status_code == 200
    agent = Agent.objects.get()
    assert (agent.tenant, agent.user, agent.alias, agent.capacity) == (tenant, user, "Mara", 4)
    assert list(agent.work_types.all()) == [billing]
    assert agent.presence == Presence.AWAY
    assert actions() == [("agent.add", {"user": "mkohler", "work_types": ["32"]})]


def test_without_a_first_name_it_is_the_user_name(add, make_user):
    add(make_user("Agent", username="mkohler"))
    assert Agent.objects.get().alias == "mkohler"


def test_a_user_is_one_agent_only(add, mara):
    response = add(mara.user)
    assert "Select a valid choice." in text(response)
    assert Agent.objects.count() == 1


def test_another_tenants_user_and_work_type_are_no_choice(add, theirs, make_user):
    stranger = User.objects.create_user("bo", tenant=theirs.kind.tenant, is_staff=True)
    assert "Select a valid choice." in text(add(stranger))
    own = make_user("Agent")
    assert "Select a valid choice." in text(add(own, work_types=[theirs.kind.pk]))
    assert not Agent.objects.filter(user__in=[stranger, own]).exists()


def test_a_superuser_of_no_tenant_is_a_choice_for_superusers_only(
    clock, admin, billing, tenant, client_as
):
    root = User.objects.create_superuser("root", password="a quiet morning")
    sent = {"user": root.pk, "alias": "Root", "capacity": "4", "work_types": [billing.pk]}
    assert "Select a valid choice." in text(admin.post(f"{AGENTS}add/", sent))
    admin.logout()
    admin.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    assert admin.post(f"{AGENTS}add/", sent).status_code == 302
    assert Agent.objects.get().tenant == tenant


@pytest.mark.parametrize("capacity", ["0", "51", "-1", "", "many", "9" * 30])
def test_a_capacity_that_makes_no_sense_is_refused(add, make_user, capacity):
    response = add(make_user("Agent"), capacity=capacity)
    assert "Please correct the error below." in text(response)
    assert not Agent.objects.exists()


def test_a_change_is_in_the_audit_trail(admin, mara, billing, outages):
    mara.work_types.set([billing])
    sent = {"alias": "Marah", "capacity": "2", "work_types": [billing.pk, outages.pk]}
    assert admin.post(page_of(mara), sent).status_code == 302
    mara.refresh_from_db()
    assert (mara.alias, mara.capacity) == ("Marah", 2)
    assert set(mara.work_types.all()) == {billing, outages}
    fields = ["alias", "capacity", "work_types"]
    assert actions() == [("agent.change", {"fields": fields, "work_types": ["32", "33"]})]


def test_a_change_leaves_alone_what_the_console_writes_meanwhile(admin, mara, monkeypatch):
    from channels_app.sessions import agents

    change = agents.change_agent

    def late(agent: Agent, **values) -> None:
        Agent.objects.filter(pk=agent.pk).update(presence=Presence.AVAILABLE)
        change(agent, **values)

    monkeypatch.setattr(agents, "change_agent", late)
    admin.post(page_of(mara), {"alias": "Marah", "capacity": "2", "work_types": []})
    mara.refresh_from_db()
    assert (mara.alias, mara.presence) == ("Marah", Presence.AVAILABLE)


def test_the_user_of_an_agent_stays(admin, mara, make_user):
    sent = {"user": make_user("Agent").pk, "alias": "Mara", "capacity": "4", "work_types": []}
    admin.post(page_of(mara), sent)
    before = mara.user
    mara.refresh_from_db()
    assert mara.user == before


def test_the_list_shows_presence_load_and_skills(admin, begin, mara, ines):
    Agent.objects.filter(pk=mara.pk).update(
        presence=Presence.AVAILABLE, seen_at=timezone.now() - timedelta(seconds=5)
    )
    Agent.objects.filter(pk=ines.pk).update(
        presence=Presence.AVAILABLE, seen_at=timezone.now() - timedelta(minutes=5)
    )
    for name in ("Ana", "Bo"):
        services.join(begin(name), agent=mara)
    said = text(admin.get(AGENTS))
    assert "Mara mara available 2 of 4 Billing, Outages" in said
    assert "Ines ines available but the console is not open since 11:55:00 0 of 4" in said


def test_who_can_not_answer_is_told_apart(admin, add, make_user, mara):
    response = add(make_user("Composer", username="carla"), alias="Carla")
    assert "Carla can't answer yet: the user is not in the group Agent." in text(response)
    User.objects.filter(pk=mara.user_id).update(is_active=False)
    said = text(admin.get(AGENTS))
    assert "carla the user is not in the group Agent" in said
    assert "mara the user is at rest" in said


def test_one_who_answered_stays_and_it_says_so(admin, begin, mara, ines, outages):
    session = services.join(begin(), agent=mara)
    services.say(session, services.Said(text="Hello"), agent=mara)
    services.transfer(session, agent=mara, to_work_type=outages)
    services.join(session, agent=ines)  # nothing but what she said points at Mara now
    for agent in (mara, ines):
        for response in (
            admin.get(f"{AGENTS}{agent.pk}/delete/", follow=True),
            admin.post(f"{AGENTS}{agent.pk}/delete/", {"post": "yes"}, follow=True),
        ):
            words = f"{agent} can't be deleted. Their sessions are kept."
            assert words in text(response)
    assert Agent.objects.count() == 2


def test_one_who_never_answered_is_deleted(admin, mara):
    assert admin.get(f"{AGENTS}{mara.pk}/delete/").status_code == 200
    admin.post(f"{AGENTS}{mara.pk}/delete/", {"post": "yes"})
    assert not Agent.objects.exists()
    assert actions() == [("agent.delete", {})]


def test_the_list_costs_the_same_however_many_there_are(
    admin, make_agent, begin, django_assert_max_num_queries
):
    for number in range(20):
        services.join(begin(f"Ana {number}"), agent=make_agent(f"Agent{number}"))
    with django_assert_max_num_queries(10):
        admin.get(AGENTS)


@pytest.mark.parametrize("group", ["Auditor", "Agent", "Operator"])
def test_others_look_and_change_nothing(clock, client_as, mara, group):
    client = client_as(group)
    page = client.get(page_of(mara))
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    assert "Billing, Outages" in text(page)
    sent = {"alias": "Mine", "capacity": "9", "post": "yes"}
    for path in (page_of(mara), f"{AGENTS}add/", f"{AGENTS}{mara.pk}/delete/"):
        assert client.post(path, sent).status_code == 403
    mara.refresh_from_db()
    assert mara.alias == "Mara"
    assert actions() == []


def test_another_tenants_agent_is_not_found(admin, theirs):
    sent = {"alias": "Mine", "capacity": "9", "post": "yes"}
    for path in (page_of(theirs.agent), f"{AGENTS}{theirs.agent.pk}/delete/"):
        assert admin.post(path, sent).headers["Location"] == "/admin/"
    theirs.agent.refresh_from_db()
    assert theirs.agent.alias == "Olga"
    assert "Olga" not in text(admin.get(AGENTS))
