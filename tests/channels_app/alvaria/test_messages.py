"""POST …/serverMessaging/message, and what becomes of a message."""

from uuid import UUID, uuid4

import pytest

from channels_app.models import Message, MessageState, Session
from channels_app.sessions import tending
from channels_app.sessions.attachments import attachment_problem
from channels_app.sessions.services import Said, join, say
from tests.channels_app.alvaria.test_opening import refused
from tests.support.alvaria import CustomServer, callbacks_of, make_api_client

pytestmark = pytest.mark.django_db


def last_event(session: Session) -> dict:
    return callbacks_of(session)[-1]


def test_a_message_is_taken_as_the_document_prints_it(server):
    session = server.opened()
    answer = server.say(str(session.public_id))
    assert answer.status_code == 202
    assert list(answer.json()) == ["messageId"]
    assert answer["Access-Control-Allow-Origin"]
    message = Message.objects.get(public_id=UUID(answer.json()["messageId"]))
    assert message.state == MessageState.PROCESSED
    assert message.text == "Hello there."
    assert message.attachment_type == "Image"
    assert message.attachment_url == "http://www.mydomain.com/image/graphics01.jpg"
    assert len(callbacks_of(session)) == 1, "what went well is not told"


@pytest.mark.parametrize("kind", ["Image", "File", "Audio", "Video"])
def test_an_attachment_alone_is_a_message(server, kind):
    session = server.opened()
    body = {"attachment": {"type": kind, "url": "https://media.example/a.bin"}}
    assert server.say(str(session.public_id), body).status_code == 202


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("", "needs a text or an attachment"),
        ("{}", "needs a text or an attachment"),
        ('{"text": ""}', "needs a text or an attachment"),
        ('{"text": " \\n "}', "needs a text or an attachment"),
        ('{"text": null, "attachment": null}', "needs a text or an attachment"),
        ('{"text": 5}', "text"),
        ('{"text": "a", "attachment": "https://x.example"}', "attachment"),
        ('{"attachment": {}}', "attachment.type"),
        ('{"attachment": {"type": "Image"}}', "attachment.url"),
        ('{"attachment": {"type": "image", "url": "https://x.example"}}', "Image, File"),
        ('{"attachment": {"type": "Sticker", "url": "https://x.example"}}', "Image, File"),
        ('{"attachment": {"type": "File", "url": "https://x.example/%s"}}' % ("a" * 2048), "url"),
        ("[1]", "object"),
        ("{", "JSON"),
    ],
)
def test_a_malformed_message_is_refused_by_name(server, body, named):
    session = server.opened()
    errors = refused(server.say(str(session.public_id), body), 400)
    assert any(named in error["message"] for error in errors), errors
    assert not Message.objects.exists()


def test_a_text_of_a_megabyte_is_refused_and_one_of_ten_thousand_signs_is_not(server):
    session = server.opened()
    (error,) = refused(server.say(str(session.public_id), {"text": "x" * 1_000_000}), 400)
    assert (error["reason"], error["message"]) == ("tooLong", "text: At most 10,000 characters.")
    assert server.say(str(session.public_id), {"text": "ü" * 10_000}).status_code == 202


def test_the_header_must_name_a_session_of_this_client(server, tenant):
    session = server.opened()
    stranger = CustomServer(make_api_client(tenant, "Other system")).sign_in()
    refused(server.call("POST", "message", {"text": "Hi"}), 400)
    refused(server.say("", {"text": "Hi"}), 400)
    for answer in (
        stranger.say(str(session.public_id), {"text": "Hi"}),
        server.say(str(uuid4()), {"text": "Hi"}),
        server.say("no-uuid", {"text": "Hi"}),
    ):
        (error,) = refused(answer, 404)
        assert error["message"] == "Session does not exist"
    assert not Message.objects.exists()


def test_a_message_after_the_end_fails_by_the_documents_event(server):
    session = server.opened()
    server.close(str(session.public_id))
    answer = server.say(str(session.public_id), {"text": "Still there?"})
    assert answer.status_code == 202
    told = last_event(session)
    UUID(told.pop("eventId"))
    assert told == {
        "sessionId": str(session.public_id),
        "event": "MESSAGE_STATUS",
        "status": "FAILED",
        "messageId": answer.json()["messageId"],
        "statusMessage": "Session does not exist",
    }


def test_messages_before_the_session_is_up_wait_for_it_in_order(server):
    public_id = server.open().json()["sessionId"]
    for text in ("one", "two"):
        assert server.say(public_id, {"text": text}).status_code == 202
    assert set(Message.objects.values_list("state", flat=True)) == {MessageState.ACCEPTED}
    tending.bring_up_all()
    messages = Message.objects.of_session(Session.objects.get(public_id=public_id))
    assert [(one.text, one.state) for one in messages] == [
        *(("one", MessageState.PROCESSED), ("two", MessageState.PROCESSED))
    ]


def test_messages_of_a_session_that_never_comes_up_fail_after_it(server):
    public_id = server.open({"workTypeId": 99, "contactName": "Ana"}).json()["sessionId"]
    server.say(public_id, {"text": "Hello?"})
    tending.bring_up_all()
    told = callbacks_of(Session.objects.get(public_id=public_id))
    assert [(one["event"], one["status"]) for one in told] == [
        *(("NEW_SESSION", "FAILED"), ("MESSAGE_STATUS", "FAILED"))
    ]


INSIDE = (
    *("http://127.0.0.1/a.png", "http://10.0.0.1/a.png", "https://192.168.1.1/", "http://[::1]/a"),
    *("http://169.254.169.254/latest/meta-data/", "http://localhost/a.png", "http://LOCALHOST./a"),
    *("http://100.64.0.1/", "http://[64:ff9b::7f00:1]/", "http://[::ffff:10.0.0.1]/", "http://0/"),
    *(
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://db.internal/a.png",
        "http://db.localdomain/",
    ),
    *("http://printer.local/a.png", "http://intranet/a.png", "https://wiki.corp/a.png"),
)


@pytest.mark.parametrize("url", [*INSIDE, "ftp://x.example/a", "javascript:alert(1)", "x"])
def test_an_attachment_that_no_agent_may_open_fails_by_an_event(server, url):
    session = server.opened()
    answer = server.say(str(session.public_id), {"attachment": {"type": "File", "url": url}})
    assert answer.status_code == 202
    told = last_event(session)
    assert (told["event"], told["messageId"]) == ("MESSAGE_STATUS", answer.json()["messageId"])
    assert told["statusMessage"].startswith("Attachment refused: ")
    assert Message.objects.get().state == MessageState.FAILED


@pytest.mark.parametrize(
    "url",
    [
        *("https://media.example/a.png", "http://www.mydomain.com:8080/a", "https://1.1.1.1/a.png"),
        *("https://xn--bcher-kva.example/", "https://localhost.example.com/a"),
    ],
)
def test_an_attachment_out_in_the_world_is_none_of_these(callbacks, url):
    assert attachment_problem(url, callbacks) == ""


def test_a_demo_may_point_to_its_own_machine_and_to_no_other(callbacks, tenant):
    tenant.is_demo = True
    tenant.save()
    callbacks.refresh_from_db()
    assert attachment_problem("http://127.0.0.1:8000/a.png", callbacks) == ""
    assert attachment_problem("http://localhost:8000/a.png", callbacks) == ""
    for inside in ("http://10.0.0.1/a.png", "http://intranet/a", "http://foo.internal/a"):
        assert attachment_problem(inside, callbacks)


def test_what_the_agent_says_is_told_in_the_documents_shape(server, john):
    session = join(server.opened(), agent=john)
    picture = Said(
        text="Here it is.", attachment_type="Image", attachment_url="https://acme.example/map.png"
    )
    say(session, picture, agent=john)
    joined, said = callbacks_of(session)[1:]
    UUID(joined.pop("eventId"))
    UUID(said.pop("eventId"))
    assert joined == {
        "sessionId": str(session.public_id),
        "event": "AGENT_JOINED",
        "agentAlias": "John",
    }
    assert said == {
        "sessionId": str(session.public_id),
        "senderId": "AGENT",
        "message": {
            "text": "Here it is.",
            "attachment": {"type": "Image", "url": "https://acme.example/map.png"},
        },
    }
