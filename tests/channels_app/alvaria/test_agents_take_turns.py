"""Joining, transferring, ending; and whom a waiting session is offered to."""

from datetime import timedelta

import pytest
import time_machine
from django.db import OperationalError
from django.utils import timezone

from channels_app.models import (
    Agent,
    EndedBy,
    EventKind,
    OpeningHours,
    Presence,
    Session,
    SessionState,
)
from channels_app.sessions import tending
from channels_app.sessions.routing import route
from channels_app.sessions.services import (
    NotPossible,
    Said,
    end_by_agent,
    join,
    say,
    transfer,
)
from project.access.models import Tenant
from tests.support.alvaria import (
    CustomServer,
    callbacks_of,
    make_agent,
    make_api_client,
    make_callbacks,
    make_work_type,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def outages(tenant):
    return make_work_type(tenant, "33", "Outages")


@pytest.fixture
def here(make_user, work_type):
    """Make an agent who sits in front of the console."""

    def make(alias, *skills, **fields) -> Agent:
        fields = {"seen_at": timezone.now() + timedelta(hours=1), **fields}
        return make_agent(make_user("Agent"), *(skills or [work_type]), alias=alias, **fields)

    return make


def offered_to(session: Session) -> str:
    session.refresh_from_db()
    return session.offered_to.alias if session.offered_to else ""


# --- joining ------------------------------------------------------------------------------------


def test_one_agent_gets_a_session_and_the_next_is_told_who_has_it(server, here):
    john, mary = here("John"), here("Mary")
    session = server.opened()
    assert join(session, agent=john).state == SessionState.ACTIVE
    with pytest.raises(NotPossible, match="John has it already"):
        join(session, agent=mary)
    join(session, agent=john)
    told = [one.get("event") for one in callbacks_of(session)]
    assert told == ["NEW_SESSION", "AGENT_JOINED"], "a second click changes nothing"


def test_an_agent_takes_no_more_sessions_than_fit(server, here):
    john = here("John", capacity=2)
    first, second, third = (server.opened() for _ in range(3))
    join(first, agent=john)
    join(second, agent=john)
    with pytest.raises(NotPossible, match="2 sessions"):
        join(third, agent=john)
    end_by_agent(first, agent=john)
    join(third, agent=john)


def test_without_the_skill_nobody_joins(server, here, outages):
    with pytest.raises(NotPossible, match="Billing"):
        join(server.opened(), agent=here("John", outages))


def test_only_who_has_it_may_speak_transfer_and_end(server, here, outages):
    john, mary = here("John"), here("Mary")
    session = server.opened()
    for deed in (
        lambda who: say(session, Said("Hi"), agent=who),
        lambda who: transfer(session, agent=who, to_work_type=outages),
        lambda who: end_by_agent(session, agent=who),
    ):
        with pytest.raises(NotPossible):
            deed(john)
    join(session, agent=john)
    with pytest.raises(NotPossible, match="not yours"):
        say(session, Said("Hi"), agent=mary)
    end_by_agent(session, agent=john)
    with pytest.raises(NotPossible, match="has ended"):
        say(session, Said("Hi"), agent=john)
    with pytest.raises(NotPossible, match="has ended"):
        join(session, agent=mary)


def test_when_an_agent_ends_it_the_far_end_hears_that_it_was_not_the_client(server, here):
    john = here("John")
    session = join(server.opened(), agent=john)
    end_by_agent(session, agent=john)
    session.refresh_from_db()
    assert session.ended_by == EndedBy.AGENT
    assert callbacks_of(session)[-1]["from"] == "SYSTEM"
    assert server.close(str(session.public_id)).status_code == 404


# --- transferring -------------------------------------------------------------------------------


def test_a_transfer_to_a_work_type_names_it_and_waits_there(server, here, outages):
    john, mary = here("John"), here("Mary", outages)
    session = join(server.opened(), agent=john)
    transfer(session, agent=john, to_work_type=outages)
    told = callbacks_of(session)[-1]
    assert (told["event"], told["worktypeId"]) == ("SESSION_REROUTE", "33")
    assert "agentAlias" not in told
    assert offered_to(session) == "Mary"
    assert session.state == SessionState.WAITING
    join(session, agent=mary)
    assert callbacks_of(session)[-1]["agentAlias"] == "Mary"


def test_who_hands_a_session_on_is_not_the_next_to_be_asked(server, here, outages):
    john = here("John", outages, capacity=9)
    Agent.objects.get().work_types.add(server.opened().work_type)
    session = join(server.opened(), agent=john)
    transfer(session, agent=john, to_work_type=outages)
    assert offered_to(session) == ""
    mary = here("Mary", outages)
    route(session.tenant)
    assert offered_to(session) == "Mary"
    assert join(session, agent=john).agent == john, "but may take it back"
    assert mary != john


def test_a_transfer_to_an_agent_names_them_and_needs_no_skill(server, here, outages):
    john, mary = here("John"), here("Mary", outages)
    session = join(server.opened(), agent=john)
    transfer(session, agent=john, to_agent=mary)
    told = callbacks_of(session)[-1]
    assert (told["event"], told["agentAlias"]) == ("SESSION_REROUTE", "Mary")
    assert "worktypeId" not in told
    assert offered_to(session) == "Mary"
    assert join(session, agent=mary).state == SessionState.ACTIVE


def test_a_transfer_that_is_not_taken_goes_to_the_next_with_the_skill(server, here, outages):
    john, mary, pat = here("John"), here("Mary", outages), here("Pat")
    session = join(server.opened(), agent=john)
    transfer(session, agent=john, to_agent=mary)
    Agent.objects.filter(pk=john.pk).update(presence=Presence.AWAY)
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        route(session.tenant)
    assert offered_to(session) == "Pat"
    assert join(session, agent=pat).agent == pat


def test_nobody_transfers_to_themselves_or_to_who_is_closed(server, here, outages):
    john = here("John")
    session = join(server.opened(), agent=john)
    with pytest.raises(NotPossible, match="already"):
        transfer(session, agent=john, to_agent=john)
    yesterday = (timezone.now() - timedelta(days=1)).weekday()
    hours = {"weekday": yesterday, "opens": "00:00", "closes": "00:01"}
    OpeningHours.objects.create(work_type=outages, **hours)
    with pytest.raises(NotPossible, match="closed"):
        transfer(session, agent=john, to_work_type=outages)
    session.refresh_from_db()
    assert session.agent == john


# --- offers -------------------------------------------------------------------------------------


def test_a_session_is_offered_to_whoever_was_asked_longest_ago(server, here):
    here("John")
    here("Mary")
    first, second, third = (server.opened() for _ in range(3))
    assert [offered_to(one) for one in (first, second, third)] == ["John", "Mary", "John"]


def test_an_offer_that_is_not_taken_goes_to_the_next_agent_and_later_round_again(server, here):
    here("John")
    here("Mary")
    session, begin = server.opened(), timezone.now()
    asked = [offered_to(session)]
    for seconds in (29, 31, 62, 120, 332, 363):
        with time_machine.travel(begin + timedelta(seconds=seconds)):
            route(session.tenant)
            asked.append(offered_to(session))
    # Nobody is asked again within five minutes; meanwhile it stands in the queue that both see.
    assert asked == ["John", "John", "Mary", "", "", "John", "Mary"]
    kinds = list(session.events.values_list("kind", flat=True))
    assert kinds.count(EventKind.OFFERED) == 4
    assert kinds.count(EventKind.PASSED) == 3
    assert len(callbacks_of(session)) == 1, "offers stay in the house"


def test_nobody_has_more_offers_than_room_for_them(server, here):
    here("John", capacity=2)
    waiting = [server.opened() for _ in range(4)]
    assert [offered_to(one) for one in waiting] == ["John", "John", "", ""]
    join(waiting[1], agent=Agent.objects.get())
    route(server.client.tenant)
    assert [offered_to(one) for one in waiting] == ["John", "", "", ""]


def test_a_look_with_nothing_to_do_writes_nothing(server, tenant, here, django_assert_num_queries):
    here("John", capacity=1)
    for _ in range(30):
        server.opened()
    with django_assert_num_queries(3):  # what has lapsed, who is there, their skills
        assert route(tenant) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"presence": Presence.AWAY},
        {"seen_at": None},
        {"seen_at": timezone.now() - timedelta(minutes=5)},
    ],
    ids=["away", "never here", "gone"],
)
def test_nothing_is_offered_to_who_is_not_there_but_they_may_join(server, here, fields):
    john = here("John", **fields)
    session = server.opened()
    assert offered_to(session) == ""
    assert join(session, agent=john).agent == john


def test_nothing_is_offered_to_who_has_their_hands_full_until_they_end_one(server, here):
    john = here("John", capacity=1)
    first = join(server.opened(), agent=john)
    second = server.opened()
    assert offered_to(second) == ""
    end_by_agent(first, agent=john)
    route(second.tenant)
    assert offered_to(second) == "John"


def test_what_waits_is_offered_once_somebody_comes(server, here):
    session = server.opened()
    route(session.tenant)
    assert offered_to(session) == ""
    here("John")
    route(session.tenant)
    assert offered_to(session) == "John"


def test_another_tenants_agents_and_work_types_have_no_part_in_it(server, here, other_tenant):
    john, eve = here("John"), here("Eve")
    Agent.objects.filter(pk=eve.pk).update(tenant=other_tenant)
    eve.refresh_from_db()
    session = server.opened()
    with pytest.raises(NotPossible, match="another organisation"):
        join(session, agent=eve)
    join(session, agent=john)
    with pytest.raises(NotPossible, match="another organisation"):
        transfer(session, agent=john, to_agent=eve)
    with pytest.raises(NotPossible, match="another organisation"):
        transfer(session, agent=john, to_work_type=make_work_type(other_tenant, "44", "Theirs"))


def test_another_tenants_agents_are_never_asked(server, make_user, other_tenant):
    theirs = make_work_type(other_tenant, "32", "Billing")
    soon = timezone.now() + timedelta(hours=1)
    make_agent(make_user("Agent", of=other_tenant), theirs, alias="Eve", seen_at=soon)
    assert offered_to(server.opened()) == ""


# --- agents who are no more ---------------------------------------------------------------------


def at_rest(agent: Agent, other_tenant: Tenant) -> None:
    agent.user.is_active = False


def moved_away(agent: Agent, other_tenant: Tenant) -> None:
    agent.user.tenant = other_tenant


def without_the_right(agent: Agent, other_tenant: Tenant) -> None:
    agent.user.groups.clear()


def root_elsewhere(agent: Agent, other_tenant: Tenant) -> None:
    agent.user.is_superuser, agent.user.tenant = True, other_tenant


@pytest.mark.parametrize("lose", [at_rest, moved_away, without_the_right, root_elsewhere])
def test_the_sessions_of_who_may_not_answer_any_more_go_to_others(server, here, other_tenant, lose):
    john, mary = here("John"), here("Mary")
    ours, hers = join(server.opened(), agent=john), join(server.opened(), agent=mary)
    tending.sweep()
    ours.refresh_from_db()
    assert ours.agent == john
    lose(john, other_tenant)
    john.user.save()
    tending.sweep()
    assert offered_to(ours) == "Mary"
    assert ours.agent is None
    told = callbacks_of(ours)[-1]
    assert (told["event"], told["worktypeId"]) == ("SESSION_REROUTE", "32")
    assert "agentAlias" not in told
    assert join(ours, agent=mary).agent == mary
    hers.refresh_from_db()
    assert hers.agent == mary


def test_a_superuser_answers_without_a_group(server, here):
    root = here("Root")
    root.user.groups.clear()
    session = join(server.opened(), agent=root)
    for tenant in (root.tenant, None):
        root.user.is_superuser, root.user.tenant = True, tenant
        root.user.save()
        tending.sweep()
        session.refresh_from_db()
        assert session.agent == root


def test_a_tenant_that_can_t_be_routed_holds_up_no_other(
    server, here, other_tenant, make_user, monkeypatch
):
    session = server.opened()
    there = make_work_type(other_tenant)
    make_callbacks(other_tenant)
    theirs = CustomServer(make_api_client(other_tenant)).sign_in().opened()
    here("John")
    stranger = make_user("Agent", of=other_tenant, username="x")
    make_agent(stranger, there, seen_at=timezone.now())
    for broken, other in ((session, theirs), (theirs, session)):

        def stumble(tenant, now, broken=broken):
            if tenant == broken.tenant:
                raise OperationalError("a lock that was not had in time")
            return route(tenant, now)

        Session.objects.update(offered_to=None, offered_until=None)
        monkeypatch.setattr(tending, "route", stumble)
        tending.sweep()
        assert not offered_to(broken)
        assert offered_to(other)
