"""What a contact writes in their window: taken once, into one session, or calmly refused."""

import re
from datetime import timedelta

import pytest
from django.test import Client

from channels_app.channel_services import rotate
from channels_app.chat_links import chat_url
from channels_app.models import ChatMessage, Message, Session, WorkType
from channels_app.sessions import services
from channels_app.sessions.chat import TEXT_MAX, Unfit, answer, fit
from channels_app.views import chat
from tests.support.channels import BY, NOON, say

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("billing")]
BOX = '<form class="chat-write"'


def body(response) -> str:
    text: str = response.content.decode()
    return text


def typed(response) -> str:
    """What stands in the reply box."""
    (text,) = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", body(response), re.DOTALL)
    return str(text)


def texts(contact: str = "ana") -> list[str]:
    return [
        row.payload["text"] for row in ChatMessage.objects.filter(contact=contact).order_by("pk")
    ]


# --- taken ----------------------------------------------------------------------------------------


def test_an_answer_stands_in_the_window_and_waits_for_an_agent(channel, visit, write, waiting):
    say(channel, "The mail server is down.")
    answered = write("is it back yet?")
    assert answered.status_code == 302
    page = visit()
    assert answered["Location"] == "./#say"
    assert texts() == ["The mail server is down.", "is it back yet?"]
    own = body(page).partition('class="chat-message chat-own"')[2]
    assert "is it back yet?" in own
    assert "<span>You</span>" in own
    assert "<span>sent</span>" in own
    session = waiting()
    assert session.work_type.name == "Billing"
    assert session.client is None
    (message,) = session.messages.all()
    assert (message.author, message.text, message.state) == (
        "contact",
        "is it back yet?",
        "processed",
    )


def test_what_is_said_next_lands_in_the_same_session(write, waiting):
    write("one")
    session = waiting()
    write("two")
    assert [message.text for message in session.messages.all()] == ["one", "two"]
    assert {message.state for message in session.messages.all()} == {"processed"}


def test_after_the_end_a_message_begins_a_new_session(mara, joined, write, work):
    services.end_by_agent(joined, agent=mara)
    work()
    write("one thing more")
    work()
    new, old = Session.objects.all()
    assert (old.state, new.state) == ("ended", "waiting")
    assert [message.text for message in new.messages.all()] == ["one thing more"]
    assert texts() == [
        "hello",
        "Mara joined",
        "The conversation has ended. Write again at any time.",
        "one thing more",
    ]


def test_two_contacts_have_a_session_each(write):
    write("from Ana")
    write("from Bo", contact="bo")
    assert {session.contact for session in Session.objects.all()} == {"ana", "bo"}
    assert texts("bo") == ["from Bo"]


def test_the_script_gets_an_answer_that_it_can_read_and_the_next_token(write):
    told = write("hello", headers={"Accept": "application/json"})
    assert told.status_code == 200
    assert told.json()["problem"] == ""
    assert len(told.json()["token"]) == 32
    refused = write("", token="t", headers={"Accept": "application/json"})
    assert refused.status_code == 400
    assert refused.json() == {"problem": "Write something first.", "token": "t"}


def test_what_was_refused_keeps_its_token(write):
    assert 'name="token" value="t&quot;"' in body(write("y" * (TEXT_MAX + 1), token='t"'))


def test_a_form_without_a_token_is_taken_and_refused_like_others(visit):
    refused = visit("say", method="post", data={"text": ""})
    assert re.search(r'name="token" value="\w{32}"', body(refused))
    for _ in range(2):
        assert visit("say", method="post", data={"text": "hello"}).status_code == 302
    assert texts() == ["hello", "hello"]


def test_every_page_has_a_token_of_its_own(visit):
    pages = [body(visit()) for _ in range(3)]
    assert len({re.findall(r'name="token" value="(\w+)"', page)[0] for page in pages}) == 3


# --- repeated -------------------------------------------------------------------------------------


def test_a_repeat_answers_as_the_first_did_and_adds_nothing(write):
    first, again = (write("once only", token="t") for _ in range(2))
    assert (first.status_code, first["Location"]) == (again.status_code, again["Location"])
    assert texts() == ["once only"]
    assert Message.objects.count() == 1


def test_a_repeat_that_comes_after_the_end_opens_nothing(channel, mara, joined):
    first = answer(channel, "ana", "once only", "t")
    services.end_by_agent(joined, agent=mara)
    assert answer(channel, "ana", "once only", "t").pk == first.pk
    assert Session.objects.count() == 1


def test_another_text_from_a_page_that_came_back_is_another_message(write):
    write("first words", token="t")
    write("other words", token="t")
    assert texts() == ["first words", "other words"]


def test_the_same_token_in_another_window_is_another_message(write):
    write("hello", token="t")
    write("hello", token="t", contact="bo")
    assert (texts("ana"), texts("bo")) == (["hello"], ["hello"])


# --- refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "   ", "\r\n\n\t", "\0", "\u2003"])
def test_nothing_is_no_message(write, text):
    answered = write(text)
    assert answered.status_code == 400
    assert "Write something first." in body(answered)
    assert not Session.objects.exists()


def test_the_longest_text_is_taken_and_line_breaks_count_once(write):
    text = "\r\n".join(["x" * 99] * 40)
    assert len(text) > TEXT_MAX > len(text.replace("\r", ""))
    assert write(text).status_code == 302
    assert texts() == [text.replace("\r", "")]
    assert write("ß" * TEXT_MAX).status_code == 302


def test_a_longer_one_comes_back_whole_with_the_reason(write):
    answered = write("y" * (TEXT_MAX + 1))
    assert answered.status_code == 400
    words = "Not sent: it has 4,001 characters, and 4,000 is the most. Send it in parts."
    assert words in body(answered)
    assert typed(answered) == "y" * (TEXT_MAX + 1)
    assert not ChatMessage.objects.exists()


def test_a_megabyte_is_refused_as_calmly(write):
    assert write("z" * 1_000_000).status_code == 400


def test_what_can_not_be_stored_is_left_out(channel):
    assert fit(" a\0b\r\nhalf \ud800\n") == "ab\nhalf \ufffd"
    shown = answer(channel, "ana", "a\0b \udfff", "\ud800")
    shown.refresh_from_db()
    assert shown.payload == {"type": "TEXT", "text": "ab \ufffd"}
    with pytest.raises(Unfit):
        fit("\0\0")


def test_hostile_text_comes_back_as_text(write):
    hostile = "</textarea><script>alert(1)</script>" + "x" * TEXT_MAX
    page = body(write(hostile))
    assert "<script>alert" not in page
    assert "&lt;/textarea&gt;" in page


def test_a_link_takes_thirty_messages_a_minute(write, visit, time_machine):
    assert chat.MOST == 30
    time_machine.move_to(NOON, tick=False)
    for number in range(30):
        assert write(f"message {number}", token=str(number)).status_code == 302
    answered = write("one more")
    assert answered.status_code == 429
    assert answered["Retry-After"] == "60"
    assert "that was a lot at once. Try again in 60 seconds." in body(answered)
    assert typed(answered) == "one more"
    assert len(texts()) == 30
    for _ in range(2):
        assert write("message 29", token="29").status_code == 302, "it was taken before"
    assert len(texts()) == 30
    assert write("hello", contact="bo").status_code == 302, "another link waits for Ana's"
    time_machine.move_to(NOON + timedelta(minutes=1), tick=False)
    assert write("one more").status_code == 302


def test_another_site_says_nothing(write):
    for site in ("cross-site", "same-site"):
        assert write("ha", headers={"Sec-Fetch-Site": site}).status_code == 403
    assert not Session.objects.exists()
    assert write("yes", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 302


def test_it_works_with_csrf_checks_on(channel, settings):
    path = chat_url(channel, "ana").removeprefix(settings.BASE_URL)
    strict = Client(enforce_csrf_checks=True)
    answered = strict.post(f"{path}say", {"text": "hi", "token": "t"})
    assert answered.status_code == 302
    assert not answered.cookies


def test_a_link_that_has_ended_takes_nothing(channel, client, settings):
    path = chat_url(channel, "ana").removeprefix(settings.BASE_URL)
    rotate(channel, by=BY, overlap=timedelta())
    answered = client.post(f"{path}say", {"text": "hi", "token": "t"})
    assert answered.status_code == 404
    assert "There is nothing here" in body(answered)
    assert not Session.objects.exists()


def test_the_address_of_a_refusal_leads_back_when_it_is_asked_for_again(channel, visit):
    assert visit("say")["Location"] == "./"
    assert visit("say?before=70")["Location"] == "./?before=70"
    assert visit("say", method="delete").status_code == 405


# --- where nobody answers -------------------------------------------------------------------------


def nobody(answered) -> None:
    assert answered.status_code == 409
    assert "Not sent: nobody answers here at the moment." in body(answered)
    assert typed(answered) == "hello?"
    assert not ChatMessage.objects.exists()
    assert not Session.objects.exists()


def test_without_a_default_work_type_the_window_is_read_only(visit, write):
    assert BOX in body(visit())
    WorkType.objects.update(is_default=False)
    assert BOX not in body(visit())
    nobody(write("hello?"))


def test_a_work_type_that_takes_no_sessions_counts_as_none(visit, write):
    WorkType.objects.update(is_active=False)
    assert BOX not in body(visit())
    nobody(write("hello?"))


def test_another_tenants_work_type_takes_nothing(visit, write, other_tenant):
    WorkType.objects.update(tenant=other_tenant)
    assert BOX not in body(visit())
    nobody(write("hello?"))


def test_a_resting_channel_takes_nothing(channel, visit, write):
    channel.is_active = False
    channel.save()
    assert BOX not in body(visit())
    nobody(write("hello?"))


def test_an_open_session_goes_on_without_its_work_type(visit, write):
    write("one")
    WorkType.objects.update(is_active=False)
    assert BOX in body(visit())
    assert write("two").status_code == 302
    assert Session.objects.count() == 1


def test_a_work_type_that_goes_before_the_session_is_up_is_told(visit, write, work):
    write("hello")
    WorkType.objects.all().update(is_active=False)
    work()
    page = body(visit())
    assert "Nobody can answer here at the moment. Please try again later." in page
    assert '<span class="chat-lost">not answered</span>' in page
    assert Session.objects.get().state == "failed"


def test_earlier_pages_have_no_reply_box(channel, visit):
    ids = [say(channel, f"message {number}").pk for number in range(60)]
    page = body(visit(f"?before={ids[10]}"))
    assert BOX not in page
