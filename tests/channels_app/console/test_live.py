"""A live console learns of what changes, and costs next to nothing while nothing does."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_app.models import Delivery, Message, Session, State
from channels_app.sessions import services
from channels_app.sessions.services import Said, accept_message
from tests.support.channels import say as say_in_window
from tests.support.console import part, version

pytestmark = pytest.mark.django_db


def test_nothing_new_is_204_and_five_queries(mara, write):
    session = mara.has(write("Ana Ruiz", "Hello"))
    for name in ("Chidi Obi", "Lena Vogt"):
        write(name, "Hello")
    for text in ("One", "Two"):
        mara.say(session, text)
    read = Message.objects.filter(session=session).latest("pk").pk
    now = version(mara.live(session, read=read))
    with CaptureQueriesContext(connection) as asked:
        assert mara.live(session, now, read=read).status_code == 204
    # The login, the user, their tenant, the agent with the right, the sessions.
    assert len(asked) == 5, "\n".join(query["sql"][:150] for query in asked)


@pytest.mark.parametrize("waiting", [1, 12])
def test_what_is_drawn_takes_as_many_queries_for_any_queue(mara, write, waiting):
    session = mara.has(write("Ana Ruiz", "Hello"))
    for number in range(waiting):
        write(f"Person {number}", "Hello")
    mara.page()
    with CaptureQueriesContext(connection) as asked:
        assert mara.live(session).status_code == 200
    assert len(asked) <= 18, [query["sql"] for query in asked]


def test_what_the_contact_writes_appears_without_a_reload(mara, write):
    session = mara.has(write("Ana Ruiz", "Hello"))
    seen = mara.live(session)
    last = Message.objects.latest("pk").pk
    accept_message(session, Said("Is it back?"))
    news = mara.live(session, version(seen), since=last + 1)
    assert "Is it back?" in part(news, "messages")
    assert "Hello" not in part(news, "messages")


def test_a_reply_is_shown_with_how_far_its_callback_is(mara, write):
    session = mara.has(write("Ana Ruiz", "Hello"))
    sent = mara.say(session, "Yes, since 20:40.")
    assert "Yes, since 20:40. Mara" in part(sent, "messages")
    assert "queued" in part(sent, "messages")
    delivery = Delivery.objects.get(session_event__message__text="Yes, since 20:40.")
    for state in (State.SENDING, State.SENT, State.FAILED):
        is_under_way = state == State.SENDING
        Delivery.objects.filter(pk=delivery.pk).update(
            state=state,
            lease_until=timezone.now() if is_under_way else None,
            settled_at=None if is_under_way else timezone.now(),
        )
        news = mara.live(session, version(sent))
        assert state in part(news, "messages")
        sent = news


def test_the_log_is_linked_for_who_may_read_it(sit, write):
    mara, ines = sit("Mara"), sit("Ines", group="Administrator")
    session = mara.has(write("Ana Ruiz", "Hello"))
    link = "/admin/channels_app/delivery/"
    assert link not in mara.say(session, "Yes").content.decode()
    other = ines.has(write("Chidi Obi"))
    assert link in ines.say(other, "Yes").content.decode()


def test_a_message_that_failed_is_shown_with_its_reason_and_opens_nothing(mara, write):
    inside = Said(attachment_type="Image", attachment_url="http://10.0.0.3/cam.png")
    session = mara.has(write("Ana Ruiz", inside))
    page = mara.page(session)
    assert "Not processed: Attachment refused" in part(page, "messages")
    assert "10.0.0.3" not in page


def test_pictures_are_shown_and_other_files_linked_to_nobody_known(mara, write):
    session = mara.has(
        write(
            "Ana Ruiz",
            Said(attachment_type="Image", attachment_url="https://a.example/meter.png"),
            Said(attachment_type="Audio", attachment_url="https://a.example/a%20note.mp3"),
            "See https://a.example/x?y=1&z=2, thanks",
        )
    )
    page = mara.page(session)
    unseen = "<summary>Picture from <bdi>a.example</bdi></summary><a"
    assert re.search(rf'<details[^>]*>{unseen}[^>]*><img src="https://a.example/meter.png"', page)
    assert 'referrerpolicy="no-referrer"' in page
    assert "Audio: a note.mp3" in part(page, "messages")
    assert '<a href="https://a.example/x?y=1&amp;z=2" target="_blank" rel="noopener' in page


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://custom.example/meter.png", False),
        ("http://CUSTOM.example:8080/meter.png", False),
        ("https://evil.custom.example/meter.png", True),
        ("https://custom.example.evil.example/meter.png", True),
        ("https://hub.example/admin/channels_app/session/7/transcript.txt", True),
    ],
)
def test_a_picture_comes_unasked_only_from_a_host_that_the_channel_names(
    mara, write, settings, url, asked
):
    settings.BASE_URL = "https://hub.example"
    session = write("Ana Ruiz", Said(attachment_type="Image", attachment_url=url))
    session.channel.settings["url"] = "https://custom.example/callbacks"
    session.channel.save()
    page = mara.page(mara.has(session))
    assert f'<img src="{url}"' in page
    assert ("Picture from" in page) == asked


def test_unread_ones_are_counted_until_they_were_seen(mara, write):
    session, other = mara.has(write("Ana Ruiz", "One")), mara.has(write("Chidi Obi"))
    mara.live(session, read=Message.objects.latest("pk").pk)
    accept_message(session, Said("Two"))
    accept_message(session, Said("Three"))
    away = mara.live(other)
    assert "2 unread" in part(away, "yours")
    assert 'data-unread="2"' in away.content.decode()
    seen = mara.live(session, read=Message.objects.latest("pk").pk)
    assert "unread" not in part(seen, "yours")
    session.refresh_from_db()
    assert session.read_up_to == Message.objects.latest("pk").pk


def test_nobody_marks_as_read_what_is_not_theirs_or_not_there_yet(sit, write):
    mara, ines = sit("Mara"), sit("Ines")
    session = mara.has(write("Ana Ruiz", "One"))
    ines.live(session, read=10**6)
    session.refresh_from_db()
    assert session.read_up_to == 0
    mara.live(session, read=10**6)
    session.refresh_from_db()
    assert session.read_up_to == Message.objects.latest("pk").pk


def test_a_colleagues_conversation_is_not_shown(sit, write):
    mara, ines = sit("Mara"), sit("Ines")
    session = mara.has(write("Ana Ruiz", "My account number is 12"))
    page = ines.page(session)
    assert "Mara has it." in part(page, "talk-foot")
    assert "account number" not in page
    assert (
        ines.client.get(
            f"/admin/channels_app/session/console/{session.public_id}/earlier/", {"before": 9}
        ).status_code
        == 404
    )


def test_earlier_messages_are_fetched_from_above(mara, write):
    session = mara.has(write("Ana Ruiz", *(f"Line {number:03}" for number in range(105))))
    page = mara.page(session)
    assert "Line 004" not in page
    assert "Line 005" in page
    first = Message.objects.get(text="Line 005").pk
    above = mara.client.get(
        f"/admin/channels_app/session/console/{session.public_id}/earlier/", {"before": first}
    ).content.decode()
    assert "Line 004" in above
    assert "Line 005" not in above
    assert "Earlier messages" not in above


def test_the_limit_is_told_with_its_time_and_a_warning_to_come(mara, write):
    session = mara.has(write("Ana Ruiz"))
    Session.objects.filter(pk=session.pk).update(ends_at=timezone.now() + timedelta(minutes=12))
    session.refresh_from_db()
    page = mara.page(session)
    at = session.ends_at.astimezone(mara.agent.tenant.zone)
    assert f"Ends by itself at {at:%H:%M}" in part(page, "talk-head")
    assert f'data-warn="{at.isoformat()}"' in page


def test_a_session_that_ended_at_its_limit_says_so(mara, write):
    session = mara.has(write("Ana Ruiz"))
    Session.objects.filter(pk=session.pk).update(ends_at=timezone.now())
    services.end_at_limit(session.pk)
    assert "its time was over." in part(mara.page(session), "talk-foot")


def test_what_stood_in_the_chat_window_before_is_shown_above(mara, tenant, billing):
    from tests.support.channels import make_channel

    chat = make_channel(tenant, name="Chat")
    before = say_in_window(chat, "The water is off until noon.", contact="ana")
    say_in_window(chat, "Somebody else's", contact="bo")
    session = Session.objects.create(
        tenant=tenant,
        channel=chat,
        work_type=billing,
        contact="ana",
        contact_name="Ana Ruiz",
        state="active",
        agent=mara.agent,
        created_at=before.sent_at + timedelta(seconds=1),
    )
    Message.objects.create(session=session, author="contact", author_name="Ana", text="Until when?")
    page = mara.page(session)
    assert "The water is off until noon." in part(page, "talk-before")
    assert "Somebody else" not in page
    assert "Until when?" in part(page, "messages")


@pytest.mark.parametrize("asked", [{"since": "x"}, {"read": "-1"}, {"since": "9" * 30}])
def test_a_malformed_look_is_refused(mara, asked):
    assert mara.live(**asked).status_code == 400
