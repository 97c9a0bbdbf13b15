"""Windows of one contact that write in the same moment."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from channels_app.models import ChatMessage, Message, Session
from channels_app.sessions import services
from channels_app.sessions.chat import answer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("billing")]
MANY = 8


def at_once(deed: Callable[[int], object]) -> list[object]:
    """Do it in threads that begin together; returns what came of each."""
    start, found = threading.Barrier(MANY), []

    def run(number: int) -> None:
        try:
            start.wait(20)
            found.append(deed(number))
        except Exception as error:
            found.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[number]) for number in range(MANY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == MANY
    return found


def test_first_answers_at_once_open_one_session(channel):
    found = at_once(lambda number: answer(channel, "ana", f"message {number}", "t"))
    assert all(isinstance(shown, ChatMessage) for shown in found), found
    session = Session.objects.get()
    said = [message.text for message in session.messages.all()]
    assert sorted(said) == [f"message {number}" for number in range(MANY)]
    shown = ChatMessage.objects.window(channel, "ana").values_list("payload__text", flat=True)
    assert list(shown) == said, "the window and the session tell it in another order"


def test_one_message_that_is_sent_again_and_again_is_taken_once(channel):
    found = at_once(lambda _: answer(channel, "ana", "once only", "t"))
    assert {shown.pk for shown in found if isinstance(shown, ChatMessage)} == {
        ChatMessage.objects.get().pk
    }
    assert Session.objects.count() == Message.objects.count() == 1


def test_what_is_said_while_the_session_ends_is_not_lost(channel, mara, joined):
    def do(number: int) -> object:
        if number == 0:
            return services.end_by_agent(joined, agent=mara)
        return answer(channel, "ana", f"message {number}", "t")

    found = at_once(do)
    assert not [one for one in found if isinstance(one, Exception)]
    assert Session.objects.open().count() <= 1
    assert Message.objects.from_contact().exclude(state="failed").count() == MANY
