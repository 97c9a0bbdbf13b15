"""The delivery log names the session that a callback tells of, and shows what it says."""

import re
from html import unescape

from channels_app.models import Delivery
from channels_app.sessions import services
from channels_app.sessions.services import Said

LOG = "/admin/channels_app/delivery/"


def html(client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    page: str = response.content.decode()
    return page


def text(client, path: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html(client, path))))


def page_of(delivery: Delivery) -> str:
    return f"{LOG}{delivery.pk}/change/"


def test_a_callback_leads_to_its_session(auditor, begin):
    session = begin("Ana Ruiz")
    page = html(auditor, page_of(Delivery.objects.get()))
    address = f"/admin/channels_app/session/{session.pk}/change/"
    assert f'<a href="{address}">Session {session.pk} with Ana Ruiz</a>' in page


def test_the_list_says_which_event_a_line_is(auditor, begin, mara):
    session = services.join(begin("Ana Ruiz"), agent=mara)
    services.say(session, Said(text="Hello"), agent=mara)
    services.end_by_agent(session, agent=mara)
    said = text(auditor, LOG)
    for event in ("Session came up", "Agent joined", "Message to the contact", "Ended"):
        assert f"Ana Ruiz {event} Callbacks" in said


def test_an_event_is_shown_in_words_with_what_it_says(auditor, begin):
    session = begin(work_type="99")
    said = text(auditor, page_of(Delivery.objects.get()))
    assert "Session came up" in said
    assert "No message was made" not in said
    assert f"Session ID {session.public_id}" in said
    assert "Status FAILED Status message Work type does not exist" in said
    event = session.events.get()
    assert f"Event ID {event.public_id}" in said


def test_a_message_is_shown_with_its_attachment(auditor, begin, mara):
    session = services.join(begin(), agent=mara)
    url = "https://pics.example/router.png"
    said = Said(text="Look: https://a.example/7", attachment_type="Image", attachment_url=url)
    services.say(session, said, agent=mara)
    delivery = Delivery.objects.latest("pk")
    page = html(auditor, page_of(delivery))
    assert 'href="https://a.example/7" rel="noopener noreferrer nofollow"' in page
    assert f'Picture: <a href="{url}" rel="noopener noreferrer nofollow">' in page
    assert "Sender AGENT" in text(auditor, page_of(delivery))
    services.say(session, Said(attachment_type="File", attachment_url="https://a/f"), agent=mara)
    assert "File: https://a/f" in text(auditor, page_of(Delivery.objects.latest("pk")))


def test_a_callback_of_another_shape_is_shown_as_it_came(auditor, begin):
    begin()
    evil = "<script>alert(1)</script>"
    for callback in (
        {"event": evil, evil: {"a": [evil]}},
        {"event": 7},
        {"event": None, "message": "text"},
        {"message": {"text": 1, "attachment": {"type": 2, "url": 3}}},
        {"message": {"attachment": {"type": "File", "url": "javascript:alert(1)"}}},
    ):
        Delivery.objects.update(payload={"type": "EVENT", "callback": callback})
        page = html(auditor, page_of(Delivery.objects.get())) + html(auditor, LOG)
        assert evil not in page
        assert 'href="javascript' not in page


def test_another_tenants_session_is_not_named(auditor, begin, theirs):
    begin()
    delivery = Delivery.objects.exclude(tenant=theirs.session.tenant).get()
    Delivery.objects.filter(pk=delivery.pk).update(origin_id=theirs.session.pk)
    said = text(auditor, page_of(delivery))
    assert f"From Session {theirs.session.pk} " in said
    assert f"Session {theirs.session.pk} with" not in said
