"""Who may do what in the log."""

import pytest
from django.contrib import admin
from django.test import Client

from channels_app.models import Attempt, ChatMessage, Delivery, State
from project.access.models import AuditEntry

from .conftest import EXPORT, LIST, OPERATE, page_of

READERS = ["Administrator", "Composer", "Approver", "Operator", "Auditor"]
DEEDS = {"retry": State.FAILED, "cancel": State.QUEUED, "replay": State.SENT}


def rows() -> list[tuple]:
    return list(Delivery.objects.order_by("pk").values_list())


@pytest.mark.parametrize("group", READERS)
def test_the_groups_that_work_with_messages_read_the_log(client_as, make_delivery, group):
    client = client_as(group)
    delivery = make_delivery()
    assert client.get(LIST).status_code == 200
    assert client.get(page_of(delivery)).status_code == 200


def test_an_agent_does_not(client_as, make_delivery):
    client = client_as("Agent")
    for path in (LIST, page_of(make_delivery()), EXPORT):
        assert client.get(path).status_code == 403


@pytest.mark.parametrize("path", [LIST, EXPORT, f"{LIST}1/change/"])
def test_who_is_not_signed_in_is_sent_to_the_login(db, path):
    response = Client().get(path)
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("deed", DEEDS)
def test_a_deed_without_a_login_changes_nothing(make_delivery, deed):
    delivery = make_delivery(state=DEEDS[deed])
    before = rows()
    response = Client().post(OPERATE, {"deed": deed, "delivery": delivery.pk, "confirmed": "yes"})
    assert response.headers["Location"].startswith("/admin/login/")
    assert rows() == before


@pytest.mark.parametrize("group", ["Auditor", "Composer", "Approver", "Agent"])
@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("confirmed", ["yes", ""])
def test_others_than_operators_can_do_no_deed(client_as, make_delivery, group, deed, confirmed):
    delivery = make_delivery(state=DEEDS[deed])
    before = rows()
    response = client_as(group).post(
        OPERATE, {"deed": deed, "delivery": delivery.pk, "confirmed": confirmed}
    )
    assert response.status_code == 403
    assert rows() == before
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("group", ["Auditor", "Composer", "Approver"])
def test_who_only_reads_sees_no_buttons(client_as, make_delivery, group):
    client = client_as(group)
    for state in State:
        page = client.get(page_of(make_delivery(state=state))).content.decode()
        assert OPERATE not in page
        assert 'name="deed"' not in page
    page = client.get(LIST).content.decode()
    assert 'name="deed"' not in page
    assert 'type="checkbox" name="delivery"' not in page


def test_posting_to_the_pages_themselves_changes_nothing(client_as, make_delivery):
    delivery = make_delivery(state=State.FAILED)
    before = rows()
    for group in ("Auditor", "Administrator"):
        client = client_as(group)
        for path in (LIST, page_of(delivery), EXPORT):
            assert client.post(path, {"state": "sent", "_save": "1"}).status_code == 405
    assert rows() == before


@pytest.mark.parametrize("page", ["add/", "{pk}/delete/", "{pk}/history/"])
def test_the_admins_other_pages_do_not_exist(client_as, make_delivery, page):
    path = LIST + page.format(pk=make_delivery().pk)
    client = client_as("Administrator")
    assert client.get(path).status_code == 404
    assert client.post(path, {"post": "yes"}).status_code == 404
    assert Delivery.objects.count() == 1


@pytest.mark.parametrize(
    ("group", "status"),
    [("Administrator", 200), ("Operator", 200), ("Auditor", 200), ("Composer", 403)],
)
def test_the_export_has_a_right_of_its_own(client_as, make_delivery, group, status):
    make_delivery()
    client = client_as(group)
    assert client.get(EXPORT).status_code == status
    assert (EXPORT in client.get(LIST).content.decode()) == (status == 200)


def test_attempts_and_chat_messages_have_no_pages_of_their_own():
    assert not admin.site.is_registered(Attempt)
    assert not admin.site.is_registered(ChatMessage)
