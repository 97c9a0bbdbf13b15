"""What happens to a contact's session, as their window and the log show it."""

import re
from datetime import time, timedelta

import pytest
import time_machine

from channels_app.models import ChatMessage, Delivery, OpeningHours, Session, State
from channels_app.sessions import services
from channels_app.sessions.services import Said
from channels_app.sessions.tending import bring_up_all
from channels_app.signals import contact_seen
from tests.support.channels import NOON, say

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("billing")]


def body(response) -> str:
    text: str = response.content.decode()
    return text


def turns(page: str) -> list[str]:
    """The page's turns in a few words: who, and what."""
    found = []
    for turn in re.findall(r'<li class="chat-message.*?</li>', page, re.DOTALL):
        text = re.sub(r"<time.*?</time>|<[^>]+>", " ", turn)
        side = re.match(r'<li class="chat-message(?: chat-(\w+))?"', turn)
        assert side
        found.append(f"{side[1] or 'left'}: {' '.join(text.split())}")
    return found


# --- the agent's side -----------------------------------------------------------------------------


def test_what_the_agent_does_and_says_comes_in_order(mara, joined, visit, write, work):
    services.say(joined, Said(text="Yes, since 20:40."), agent=mara)
    work()
    write("Thank you!")
    services.end_by_agent(joined, agent=mara)
    work()
    assert turns(body(visit())) == [
        "own: hello You sent",
        "note: Mara joined",
        "left: Yes, since 20:40. Mara New",
        "own: Thank you! You sent",
        "note: The conversation has ended. Write again at any time.",
    ]


def test_attachments_come_as_pictures_and_as_links(mara, joined, visit, work):
    for said in (
        Said("The map", "Image", "https://acme.example/map.png", "map.png"),
        Said("", "Image", "https://acme.example/bare.png"),
        Said("Here it is", "File", "https://acme.example/bill.pdf", "bill.pdf"),
        Said("", "Audio", "https://acme.example/note.mp3"),
    ):
        services.say(joined, said, agent=mara)
    work()
    page = body(visit())
    assert 'src="https://acme.example/map.png" alt="The map"' in page
    assert 'src="https://acme.example/bare.png" alt="Picture"' in page
    assert ">Here it is</p>" in page
    for name, file in (("bill.pdf", "bill.pdf"), ("Audio", "note.mp3")):
        address = re.escape(f"https://acme.example/{file}")
        assert re.search(rf'<a class="btn [^>]*href="{address}"[^>]*>{name}</a>', page)
    assert page.count("https://acme.example/bill.pdf") == 1, "it stands there as bare words too"
    assert '<p class="chat-text" dir="auto"></p>' not in page


def test_only_what_others_said_is_unread(mara, joined, visit, work):
    assert "<title>Acme Utilities</title>" in body(visit())
    services.say(joined, Said(text="Good morning"), agent=mara)
    work()
    page = body(visit())
    assert "<title>(1) Acme Utilities</title>" in page
    assert page.count('class="chat-new">New') == 1
    ids = ",".join(re.findall(r'data-id="(\d+)"', page))
    visit("read", method="post", data={"ids": ids})
    assert "<title>Acme Utilities</title>" in body(visit())
    own = ChatMessage.objects.get(said__isnull=False)
    assert own.read_at == own.sent_at


def test_hostile_names_and_words_of_an_agent_are_only_text(mara, joined, visit, work):
    mara.alias = "<img src=x onerror=alert(1)>"
    mara.save()
    services.say(joined, Said(text="<script>alert(2)</script>"), agent=mara)
    work()
    page = body(visit())
    assert "<img" not in page
    assert "<script>alert" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;</span>" in page


def test_while_the_channel_rests_what_the_agent_says_waits(channel, mara, joined, visit, work):
    channel.is_active = False
    channel.save()
    services.say(joined, Said(text="Good morning"), agent=mara)
    work()
    assert "Good morning" not in body(visit())
    channel.is_active = True
    channel.save()
    work()
    assert "Good morning" in body(visit())


# --- the window, live -----------------------------------------------------------------------------


def cursor(response) -> str:
    (found,) = re.findall(r'hx-get="(new\?[^"]+)"', body(response))
    return str(found).replace("&amp;", "&")


def test_another_window_of_the_contact_draws_what_was_said_once(visit, write):
    other = visit()
    write("from this window")
    answered = visit(cursor(other))
    assert turns(body(answered)) == ["own: from this window You sent"]
    assert "data-unread" not in body(answered)
    assert visit(cursor(answered)).status_code == 204


def test_what_was_said_and_committed_late_under_a_lower_number_still_appears(channel, visit, write):
    write("from the slower window")
    kept = ChatMessage.objects.get()
    ChatMessage.objects.filter(pk=kept.pk).delete()  # as if it were not committed yet
    say(channel, "from the faster worker")
    page = visit()
    kept.save(force_insert=True)
    answered = visit(cursor(page))
    assert turns(body(answered)) == ["own: from the slower window You sent"]
    assert visit(cursor(answered)).status_code == 204


def test_a_look_costs_two_queries_in_a_conversation_too(visit, write, django_assert_num_queries):
    page = visit()
    write("hello")
    with django_assert_num_queries(2):
        answered = visit(cursor(page))
    assert turns(body(answered)) == ["own: hello You sent"]
    with django_assert_num_queries(2):
        assert visit(cursor(answered)).status_code == 204


# --- time -----------------------------------------------------------------------------------------


HOURS = {
    "Mon 08:00 CET": (0, 8, 18),
    "14:00 CET": (5, 14, 18),
    "Sat 08:00 CET": (5, 8, 12),  # it is over for today
}


@pytest.mark.parametrize("opens", HOURS)
def test_while_it_is_closed_a_session_waits_and_is_told_once(billing, visit, write, work, opens):
    weekday, first, last = HOURS[opens]
    OpeningHours.objects.create(
        work_type=billing, weekday=weekday, opens=time(first), closes=time(last)
    )
    billing.tenant.time_zone = "Europe/Madrid"
    billing.tenant.save()
    with time_machine.travel(NOON, tick=False):  # a Saturday, 13:00 in Madrid
        write("is anybody there?")
        work()
        write("hello?")
        work()
        page = body(visit())
    assert turns(page) == [
        "own: is anybody there? You sent",
        f"left: We are closed now. We answer from {opens}. New",
        "own: hello? You sent",
    ]
    session = Session.objects.get()
    assert (session.state, session.ends_at) == ("waiting", None)


def test_while_it_is_open_nothing_is_told(write, visit, waiting):
    write("hello")
    waiting()
    assert turns(body(visit())) == ["own: hello You sent"]


def test_the_limit_counts_from_when_an_agent_joins(mara, write):
    with time_machine.travel(NOON, tick=False):
        write("good night")
        bring_up_all()
    session = Session.objects.get()
    assert session.ends_at is None
    with time_machine.travel(NOON + timedelta(hours=10), tick=False):
        assert services.join(session, agent=mara).ends_at == NOON + timedelta(hours=14)


# --- who is told ----------------------------------------------------------------------------------


def test_each_answer_tells_that_the_contact_is_here(channel, visit, write):
    heard: list[tuple[object, str]] = []

    def listen(channel, address, **_):
        heard.append((channel, address))

    contact_seen.connect(listen)
    try:
        visit()
        write("one")
        write("")
        write("two")
    finally:
        contact_seen.disconnect(listen)
    assert heard == [(channel, "ana")] * 3


# --- the log --------------------------------------------------------------------------------------


def test_the_log_tells_what_was_said_and_that_an_agent_joined(mara, joined, client_as, work):
    services.say(joined, Said(text="Good morning"), agent=mara)
    work()
    joined, said = Delivery.objects.of_origin("session", joined.pk).order_by("pk")
    assert (joined.state, said.state) == (State.SENT, State.SENT)
    auditor = client_as("Auditor")
    for delivery, words in ((joined, "Mara joined"), (said, "Good morning")):
        page = auditor.get(f"/admin/channels_app/delivery/{delivery.pk}/change/")
        assert words in body(page)
    export = auditor.get("/admin/channels_app/delivery/export/")
    text = b"".join(export.streaming_content).decode()
    assert "Mara joined" in text
    assert "Good morning" in text
