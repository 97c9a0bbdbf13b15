"""A session is handed on to somebody who is there, or to a queue that is open."""

from datetime import time

import pytest

from channels_app.models import Event, EventKind, OpeningHours, Presence, SessionState, WorkType
from tests.support.console import CONSOLE, part, problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(mara, write):
    return mara.has(write("Ana Ruiz", "is it back yet?", attributes={"accountNumber": "AC-9"}))


def choices(desk, session) -> str:
    response = desk.client.get(f"{CONSOLE}{session.public_id}/transfer/")
    assert response.status_code == 200
    return str(response.content.decode())


def rerouted() -> dict[str, str]:
    return dict(Event.objects.get(kind=EventKind.SESSION_REROUTE).data)


def test_it_goes_to_an_agent_as_an_offer(mara, sit, session):
    ines = sit("Ines", capacity=3)
    ines.page()
    assert "Ines" in choices(mara, session)
    assert "0 of 3" in choices(mara, session)
    answer = mara.do("transfer", session, to=f"agent-{ines.agent.pk}", session=session.public_id)
    assert answer.status_code == 200
    assert rerouted() == {"agentAlias": "Ines"}
    # She has the skill, and may take it back.
    assert "It waits for Ines." in part(answer, "talk-foot")
    assert "Offered to you" in part(ines.page(), "waiting")
    ines.has(session)
    assert "Mara handed over to Ines" in part(ines.page(session), "contact")
    assert "AC-9" in part(ines.page(session), "contact")


def test_it_goes_to_a_work_types_queue(sit, session, mara, outages):
    ines = sit("Ines", outages)
    mara.do("transfer", session, to=f"work-type-{outages.pk}")
    session.refresh_from_db()
    assert (session.state, session.work_type) == (SessionState.WAITING, outages)
    assert rerouted() == {"worktypeId": "33"}
    ines.has(session)
    assert "handed over to Outages" in part(ines.page(session), "contact")


def test_who_lacks_the_skill_sees_no_more_of_what_they_handed_on(sit, write, billing, outages):
    mara = sit("Mara", billing)
    session = mara.has(write("Ana Ruiz", "My number is 12"))
    answer = mara.do("transfer", session, to=f"work-type-{outages.pk}", session=session.public_id)
    assert "It is not with you any more. It waits in Outages." in part(answer, "talk-foot")
    assert "My number" not in answer.content.decode()


def test_who_is_away_and_what_is_closed_is_not_offered(mara, sit, session, tenant, outages):
    ines = sit("Ines", presence=Presence.AWAY)
    shut = WorkType.objects.create(tenant=tenant, code="7", name="Nights", is_active=False)
    OpeningHours.objects.create(work_type=outages, weekday=0, opens=time(3), closes=time(3, 1))
    shown = choices(mara, session)
    assert "Ines" not in shown
    assert "No other agent is available." in shown
    assert "Nights" not in shown
    for to in (f"agent-{ines.agent.pk}", f"work-type-{shut.pk}", "agent-x", "9", ""):
        refused = mara.do("transfer", session, to=to)
        assert problem(refused) == "Choose an agent or a work type that is available."
    session.refresh_from_db()
    assert session.agent == mara.agent


def test_another_tenants_agent_is_no_choice(mara, sit, session, other_tenant):
    olga = sit("Olga", of=other_tenant)
    assert "Olga" not in choices(mara, session)
    refused = mara.do("transfer", session, to=f"agent-{olga.agent.pk}")
    assert problem(refused) == "Choose an agent or a work type that is available."


def test_to_oneself_is_refused_calmly(mara, session):
    refused = mara.do("transfer", session, to=f"agent-{mara.agent.pk}")
    assert problem(refused) == "You have it already."


def test_only_who_has_it_hands_it_on_or_ends_it(sit, session, outages):
    ines = sit("Ines")
    for deed, fields in (("transfer", {"to": f"work-type-{outages.pk}"}), ("end", {})):
        assert problem(ines.do(deed, session, **fields)) == "The session is not yours any more."
    session.refresh_from_db()
    assert session.state == SessionState.ACTIVE
