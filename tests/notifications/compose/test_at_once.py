"""Two who press at the same moment, over two connections of their own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.http import HttpResponse

from notifications.models import Notification, Stage
from project.access.models import AuditEntry
from tests.support.composing import ADD, LIST, composed, filled, page_of

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*presses: Callable[[], HttpResponse]) -> list[HttpResponse]:
    """Let each be done in its own thread, started together."""
    line = Barrier(len(presses))

    def run(press: Callable[[], HttpResponse]) -> HttpResponse:
        try:
            line.wait()
            return press()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(presses)) as threads:
        return list(threads.map(run, presses))


@pytest.fixture
def mara(make_user, client_as):
    return client_as("Administrator", username="mara")


def test_a_double_press_on_send_sends_once(mara):
    form = {"action": "send", **filled()}
    answers = at_once(*[lambda: mara.post(ADD, form)] * 4)
    notification = Notification.objects.get()
    assert {answer["Location"] for answer in answers} == {page_of(notification)}
    assert notification.stage == Stage.SCHEDULED
    assert AuditEntry.objects.filter(action="notification.send").count() == 1


def test_a_double_press_on_a_draft_sends_once(mara):
    draft = composed(mara)
    form = {"action": "send", **filled(text="Now finished", seen=draft.digest)}
    answers = at_once(*[lambda: mara.post(page_of(draft), form)] * 4)
    assert {answer.status_code for answer in answers} == {302}
    draft.refresh_from_db()
    assert (draft.stage, draft.body) == (Stage.SCHEDULED, "Now finished")
    assert AuditEntry.objects.filter(action="notification.send").count() == 1


def test_of_an_approval_and_a_taking_back_one_comes_first(mara, client_as):
    carl = client_as("Composer", username="carl")
    handed_in = composed(carl, "submit")
    do = f"{LIST}{handed_in.pk}/do/"
    answers = at_once(
        lambda: mara.post(f"{do}approve/", {"digest": handed_in.digest}),
        lambda: carl.post(f"{do}withdraw/"),
    )
    assert {answer.status_code for answer in answers} == {302}
    handed_in.refresh_from_db()
    done = AuditEntry.objects.filter(action__in=["notification.approve", "notification.withdraw"])
    assert handed_in.stage == (
        Stage.SCHEDULED if done.get().action == "notification.approve" else Stage.DRAFT
    )
