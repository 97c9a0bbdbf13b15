"""Who waits is seen, oldest first, by whoever has the skill; one press takes a session."""

from datetime import timedelta

import pytest
from django.utils import timezone

from channels_app.console.standing import SHOWN
from channels_app.models import (
    Agent,
    Event,
    EventKind,
    Message,
    Presence,
    Session,
    SessionState,
)
from channels_app.sessions import services
from tests.support.console import CONSOLE, part, problem

pytestmark = pytest.mark.django_db


def names(html, *people: str) -> list[str]:
    """Which of these people wait, in the order in which they are shown."""
    shown = part(html, "waiting")
    return sorted((name for name in people if name in shown), key=shown.index)


def away(desk) -> None:
    Agent.objects.filter(pk=desk.agent.pk).update(presence=Presence.AWAY)


def test_the_queue_shows_who_waits_oldest_first_with_what_they_said(mara, write, outages):
    write("Chidi Obi", "Why is my bill\ntwice as high?")
    write("Lena Vogt", work_type=outages, integration="WhatsApp")
    page = mara.page()
    assert names(page, "Lena Vogt", "Chidi Obi") == ["Chidi Obi", "Lena Vogt"]
    assert "Billing · SMS Why is my bill twice as high?" in part(page, "waiting")
    assert "Outages · WhatsApp" in part(page, "waiting")
    assert "Waiting · 2, oldest first" in part(page, "waiting-head")


def test_the_queue_shows_what_the_contact_said_also_after_words_of_ours(mara, sit, write):
    session = mara.has(write("Ana Ruiz", "Is it back?", "Hello?"))
    mara.say(session, "One moment, please.")
    mara.do("transfer", session, to=f"agent-{sit('Ines').agent.pk}")
    queue = part(mara.page(), "waiting")
    assert "Hello?" in queue
    assert "One moment" not in queue
    Message.objects.create(
        session=write("Lena Vogt"), author="system", author_name="Acme", text="We are closed."
    )
    assert "Acme : We are closed." in part(mara.page(), "waiting")


def test_without_an_integration_the_channel_is_named(mara, write):
    write("Ana Ruiz", integration="")
    assert "Billing · Callbacks" in part(mara.page(), "waiting")


def test_what_one_has_no_skill_for_is_not_shown_and_not_joined(sit, write, outages):
    session = write("Chidi Obi")
    ines = sit("Ines", outages)
    assert names(ines.page(), "Chidi Obi") == []
    assert problem(ines.do("join", session)) == "You don't answer Billing."
    session.refresh_from_db()
    assert session.state == SessionState.WAITING


def test_what_is_offered_to_me_stands_on_top_with_the_seconds_left(sit, write):
    mara, ines = sit("Mara"), sit("Ines")
    sessions = [write("Chidi Obi"), write("Lena Vogt")]
    mara.page()  # both are offered to her, who is alone at a console
    ines.page()
    until = timezone.now() + timedelta(seconds=30)
    Session.objects.filter(pk=sessions[1].pk).update(offered_to=ines.agent, offered_until=until)
    page = ines.page()
    assert names(page, "Lena Vogt", "Chidi Obi") == ["Lena Vogt", "Chidi Obi"]
    assert part(page, "waiting").count("Offered to you") == 1
    assert "1 offered to you" in part(page, "waiting-head")
    assert page.count("data-left=") == 1
    assert f'data-left="{until.astimezone(ines.agent.tenant.zone).isoformat()}"' in page


def test_one_press_joins_and_shows_the_conversation(mara, write):
    session = write("Ana Ruiz", "is it back yet?")
    answer = mara.do("join", session)
    session.refresh_from_db()
    assert (session.state, session.agent) == (SessionState.ACTIVE, mara.agent)
    assert Event.objects.get(kind=EventKind.AGENT_JOINED).data == {"agentAlias": "Mara"}
    assert "is it back yet?" in part(answer, "messages")
    assert "You are available · 1 of 4" in part(answer, "me")
    assert names(answer, "Ana Ruiz") == []
    assert "Ana Ruiz" in part(answer, "yours")


def test_whoever_is_slower_is_told_who_has_it_and_goes_on(sit, write):
    mara, ines, session = sit("Mara"), sit("Ines"), write("Ana Ruiz")
    other = write("Chidi Obi")
    mara.has(session)
    answer = ines.do("join", session)
    assert problem(answer) == "Mara has it already."
    assert names(answer, "Ana Ruiz", "Chidi Obi") == ["Chidi Obi"]
    ines.has(other)


def test_nobody_takes_more_than_they_can_hold(sit, write):
    mara = sit("Mara", capacity=1)
    mara.has(write("Ana Ruiz"))
    assert "as many as you take at once" in problem(mara.do("join", write("Chidi Obi")))


def test_a_joined_session_stays_joined_when_pressed_twice(mara, write):
    session = mara.has(write("Ana Ruiz"))
    assert mara.do("join", session).status_code == 200
    assert Event.objects.filter(kind=EventKind.AGENT_JOINED).count() == 1


def test_a_long_queue_is_cut_and_says_how_many_are_behind(sit, write):
    desk = sit("Mara", presence=Presence.AWAY)
    for number in range(SHOWN + 3):
        write(f"Person {number:03}")
    page = desk.page()
    assert f"Waiting · {SHOWN + 3}" in part(page, "waiting-head")
    assert "Person 000" in part(page, "waiting")
    assert f"Person {SHOWN:03}" not in part(page, "waiting")
    assert "and 3 more behind them" in part(page, "waiting-more")


def test_what_comes_from_outside_is_escaped(mara, write):
    session = write("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", integration="<b>")
    queue = mara.page()
    mara.has(session)
    for page in (queue, mara.page(session)):
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "<b>SMS" not in page
    assert "<script>alert(1)</script>" in part(page, "yours")


def test_an_empty_console_says_so(sit):
    desk = sit("Mara", presence=Presence.AWAY)
    assert "While you are away nothing is offered to you." in part(desk.page(), "waiting-head")
    assert "You have none in hand." in part(desk.page(), "yours-head")
    assert "Say that you are available" in part(desk.page(), "talk-empty")


def test_ending_makes_room_for_who_waits(sit, write):
    mara = sit("Mara", capacity=1)
    session = mara.has(write("Ana Ruiz"))
    mara.page(session)
    waits = write("Chidi Obi")
    waits.refresh_from_db()
    assert waits.offered_to is None
    answer = mara.do("end", session)
    waits.refresh_from_db()
    assert waits.offered_to == mara.agent
    assert "you ended it" in part(answer, "talk-foot")
    assert "Join the next: Chidi Obi" in part(answer, "talk-foot")


def test_a_session_ended_by_the_contact_says_so_and_offers_the_next(mara, write):
    session = mara.has(write("Ana Ruiz", "is it back yet?"))
    write("Chidi Obi")
    services.end_by_contact(session)
    page = mara.page(session)
    assert "This session ended" in part(page, "talk-foot")
    assert "Ana Ruiz ended it." in part(page, "talk-foot")
    assert "Join the next: Chidi Obi" in part(page, "talk-foot")
    assert "is it back yet?" in part(page, "messages")
    assert problem(mara.say(session, "Hello?")) == "The session has ended. Nothing was sent."


def test_a_session_can_be_opened_however_many_wait_before_it(mara, write):
    first = write("Contact 0")
    for number in range(1, SHOWN + 60):
        write(f"Contact {number}")
    last = Session.objects.latest("pk")
    assert last.contact_name in part(mara.page(last), "talk-head")
    assert mara.live(last).status_code == 200
    waiting = part(mara.page(last), "waiting")
    assert waiting.index("Contact 0 ") < waiting.index("Contact 1 "), "the shown one moves nobody"
    mara.has(last)
    assert first.pk != last.pk


@pytest.mark.parametrize("row", ["abc", "-1", "%00", "9" * 30, "1.5"])
def test_a_number_that_is_none_opens_nothing(mara, row):
    assert mara.client.get(f"{CONSOLE}?row={row}").status_code == 404
    assert mara.client.get(f"{CONSOLE}live/?row={row}").status_code in {400, 404}


def test_a_session_is_not_handed_on_by_another_method(mara, write):
    session = mara.has(write())
    for method in ("put", "patch", "delete"):
        answer = getattr(mara.client, method)(f"{CONSOLE}{session.public_id}/transfer/")
        assert answer.status_code == 405
