"""Who may answer, and in whose sessions."""

import pytest
from django.test import Client

from channels_app.models import SessionState
from tests.support.console import CONSOLE, part

pytestmark = pytest.mark.django_db

DEEDS = ("join", "say", "transfer", "end")


@pytest.mark.parametrize("group", ["Auditor", "Operator", "Composer", "Approver"])
def test_who_may_not_answer_gets_nothing_of_the_console(client_as, write, group):
    client, session = client_as(group), write()
    assert client.get(CONSOLE).status_code == 403
    assert client.get(f"{CONSOLE}live/").status_code == 403
    assert client.post(f"{CONSOLE}presence/", {"presence": "available"}).status_code == 403
    for deed in DEEDS:
        assert client.post(f"{CONSOLE}{session.public_id}/{deed}/").status_code == 403
    for look in ("replies", "earlier", "transfer"):
        assert client.get(f"{CONSOLE}{session.public_id}/{look}/").status_code == 403


def test_nobody_signed_in_is_led_to_the_login(client, write):
    response = client.get(f"{CONSOLE}live/")
    assert response.status_code == 302
    assert "/login/" in response.url


@pytest.mark.parametrize(
    ("group", "words"),
    [("Agent", "Ask an administrator"), ("Administrator", "Add yourself")],
)
def test_who_may_answer_but_is_no_agent_is_told_what_to_do(client_as, group, words):
    page = client_as(group).get(CONSOLE)
    assert page.status_code == 200
    assert "you are no agent yet" in page.content.decode()
    assert words in page.content.decode()


def test_a_right_given_to_the_person_alone_is_enough(sit):
    from django.contrib.auth.models import Permission

    desk = sit("Mara", group="")
    assert desk.client.get(CONSOLE).status_code == 403
    desk.agent.user.user_permissions.add(Permission.objects.get(codename="answer_session"))
    assert desk.client.get(CONSOLE).status_code == 200


def test_a_right_that_is_withdrawn_ends_the_console_at_once(mara):
    assert mara.live().status_code == 200
    mara.agent.user.groups.clear()
    assert mara.live().status_code == 403


def test_a_superuser_answers_where_they_are_an_agent(sit):
    desk = sit(
        "Ines",
        group="",
    )
    desk.agent.user.is_superuser = True
    desk.agent.user.save()
    assert desk.client.get(CONSOLE).status_code == 200
    assert desk.live().status_code == 200


def test_another_tenants_session_is_not_found(sit, write, other_tenant):
    session = write("Ana Ruiz", "Secret")
    desk = sit("Olga", of=other_tenant)
    assert "Ana Ruiz" not in desk.page()
    assert desk.client.get(CONSOLE, {"session": session.public_id}).status_code == 404
    assert desk.live(session).status_code == 404
    for deed in DEEDS:
        assert desk.do(deed, session).status_code == 404
    for look in ("replies", "earlier", "transfer"):
        answer = desk.client.get(f"{CONSOLE}{session.public_id}/{look}/", {"before": "1"})
        assert answer.status_code == 404
    session.refresh_from_db()
    assert session.state == SessionState.WAITING


@pytest.mark.parametrize("asked", ["38d1fba0-2079-42fb-93c2-0de301cf8ff5", "x", "' OR 1=1", "1"])
def test_an_unknown_session_is_not_found(mara, asked):
    assert mara.client.get(CONSOLE, {"session": asked}).status_code == 404
    assert mara.client.get(f"{CONSOLE}live/", {"session": asked}).status_code == 404


def test_deeds_are_asked_for_by_post_and_with_a_token(mara, write):
    session = write()
    for deed in ("join", "say", "end"):
        assert mara.client.get(f"{CONSOLE}{session.public_id}/{deed}/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(mara.agent.user, backend="django.contrib.auth.backends.ModelBackend")
    assert strict.post(f"{CONSOLE}{session.public_id}/join/").status_code == 403


def test_the_console_and_the_list_are_marked_apart(mara, client_as):
    page = mara.page()
    assert page.count('aria-current="page">Console') == 1
    assert 'aria-current="page">All sessions' not in page
    listing = client_as("Administrator").get("/admin/channels_app/session/").content.decode()
    assert 'aria-current="page">All sessions' in listing
    assert 'aria-current="page">Console' not in listing


def test_the_sessions_page_is_linked_for_who_may_read_it(sit, write):
    desk = sit("Mara")
    session = desk.has(write())
    link = f"/admin/channels_app/session/{session.pk}/change/"
    assert link in desk.page(session)
    assert "s page" in part(desk.page(session), "contact")
