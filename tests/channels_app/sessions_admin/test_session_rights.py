"""Who may see sessions, and that nobody changes one there."""

import pytest
from django.test import Client

from channels_app.models import Message, Session
from channels_app.sessions import services
from project.access.models import AuditEntry

from .conftest import LIST, page_of

READERS = ["Administrator", "Composer", "Approver", "Operator", "Agent", "Auditor"]


@pytest.fixture
def session(clock, begin, mara) -> Session:
    session = services.join(begin(), agent=mara)
    services.say(session, services.Said(text="Hello"), agent=mara)
    return session


@pytest.mark.parametrize("group", READERS)
def test_the_groups_that_may_view_sessions_read_them(client_as, session, group):
    client = client_as(group)
    for path in (LIST, page_of(session), f"{LIST}{session.pk}/transcript.txt"):
        assert client.get(path).status_code == 200


def test_who_is_in_no_group_does_not(client_as, session):
    client = client_as("")
    for path in (LIST, page_of(session), f"{LIST}{session.pk}/transcript.json"):
        assert client.get(path).status_code == 403
    assert not AuditEntry.objects.filter(target_kind="session").exists()


@pytest.mark.parametrize("page", ["", "{pk}/change/", "{pk}/transcript.txt"])
def test_who_is_not_signed_in_is_sent_to_the_login(session, page):
    response = Client().get(LIST + page.format(pk=session.pk))
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/admin/login/")
    assert not AuditEntry.objects.filter(target_kind="session").exists()


@pytest.mark.parametrize("group", ["Administrator", "Agent", "Auditor"])
@pytest.mark.parametrize(
    "page",
    ["", "add/", "{pk}/change/", "{pk}/delete/", "{pk}/history/", "{pk}/transcript.txt"],
)
def test_nothing_is_changed_by_posting_to_any_page(client_as, session, group, page):
    rows = list(Session.objects.values_list()), list(Message.objects.values_list())
    path = LIST + page.format(pk=session.pk)
    sent = {"state": "ended", "contact_name": "X", "post": "yes", "_save": "1"}
    assert client_as(group).post(path, sent).status_code in (403, 404, 405)
    assert (list(Session.objects.values_list()), list(Message.objects.values_list())) == rows
    assert not AuditEntry.objects.filter(target_kind="session").exists()
