"""What an agent says reaches the contact once, with its file; and files are served harmlessly."""

import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from channels_app.models import Attachment, Delivery, Message
from channels_app.sessions.files import LARGEST, clean_name
from project.settings import BASE_URL
from tests.support.console import part, problem

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def file(name: str, content: bytes, content_type: str = "") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type or "application/octet-stream")


def callbacks() -> list[dict]:
    """The messages that the custom server is told of."""
    payloads = Delivery.objects.order_by("pk").values_list("payload", flat=True)
    return [each["callback"]["message"] for each in payloads if "message" in each["callback"]]


@pytest.fixture
def session(mara, write):
    return mara.has(write("Ana Ruiz", "is it back yet?"))


def test_a_reply_is_stored_and_told(mara, session):
    assert mara.say(session, "  Yes,\r\nsince 20:40. \U0001f600 ").status_code == 200
    message = Message.objects.get(author="agent")
    assert message.text == "Yes,\nsince 20:40. \U0001f600"
    assert (message.author_name, message.agent) == ("Mara", mara.agent)
    assert callbacks() == [{"text": "Yes,\nsince 20:40. \U0001f600"}]


def test_pressed_twice_it_is_sent_once(mara, session):
    token = str(uuid.uuid4())
    for _ in range(2):
        assert mara.say(session, "Yes.", token=token).status_code == 200
    picture = str(uuid.uuid4())
    for _ in range(2):
        sent = mara.say(session, token=picture, file=file("plan.png", PNG))
        assert sent.status_code == 200
    assert len(callbacks()) == 2
    assert Attachment.objects.count() == 1


def test_the_same_words_again_are_two_messages(mara, session):
    mara.say(session, "Yes.")
    mara.say(session, "Yes.")
    assert len(callbacks()) == 2


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"text": "   "}, "Write something first."),
        ({"text": "x" * 10_001}, "10,000 characters at most"),
        ({"text": "nul\0"}, "Null characters are not allowed."),
        ({"text": "Hi", "token": "x"}, "UUID"),
        ({"text": "Hi", "file": file("empty.txt", b"")}, "The file is empty."),
        ({"file": file("big.bin", b"x" * (LARGEST + 1))}, "larger than 10 MB. Nothing was sent."),
    ],
)
def test_what_cannot_be_sent_says_why_and_sends_nothing(mara, session, fields, words):
    response = mara.say(session, **fields)
    assert words in problem(response)
    assert callbacks() == []
    assert not Attachment.objects.exists()


def test_only_who_has_the_session_answers_in_it(sit, session):
    response = sit("Ines").say(session, "Me too")
    assert problem(response) == "The session is not yours any more. Nothing was sent."
    assert callbacks() == []


@pytest.mark.parametrize(
    ("sent", "kind", "served"),
    [
        (file("plan.png", PNG), "Image", ("image/png", "inline")),
        (file("photo", b"\xff\xd8\xff\xe0" + b"\0" * 20), "Image", ("image/jpeg", "inline")),
        (file("a.gif", b"GIF89a" + b"\0" * 20), "Image", ("image/gif", "inline")),
        (file("a.webp", b"RIFF\0\0\0\0WEBPVP8 "), "Image", ("image/webp", "inline")),
        (file("x.svg", SVG, "image/svg+xml"), "File", ("application/octet-stream", "attachment")),
        (file("x.png", b"<html>", "image/png"), "File", ("application/octet-stream", "attachment")),
        (file("page.html", b"<script>", "text/html"), "File", ("text/html", "attachment")),
        (file("note.mp3", b"ID3"), "Audio", ("audio/mpeg", "attachment")),
        (file("film.mp4", b"\0\0\0 ftyp"), "Video", ("video/mp4", "attachment")),
        (file("bill.pdf", b"%PDF-1.7"), "File", ("application/pdf", "attachment")),
    ],
)
def test_a_file_is_told_by_address_and_served_so_that_nothing_in_it_runs(
    mara, session, sent, kind, served
):
    content_type, shown = served
    content = sent.read()
    sent.seek(0)
    answer = mara.say(session, "Here you are", file=sent)
    (told,) = callbacks()
    assert told["text"] == "Here you are"
    assert told["attachment"]["type"] == kind
    url = told["attachment"]["url"]
    assert url.startswith(f"{BASE_URL}/attachments/")
    assert url.endswith(f"/{sent.name}")
    assert ("<img" in answer.content.decode()) == (kind == "Image")
    fetched = Client().get(url.removeprefix(BASE_URL))  # nobody is signed in there
    assert fetched.content == content
    assert fetched["Content-Type"] == content_type
    assert fetched["Content-Disposition"].startswith(shown)
    assert fetched["X-Content-Type-Options"] == "nosniff"
    assert fetched["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_the_largest_file_and_odd_names_go_through(mara, session):
    name = "Ñandú \u202egnp.exe/../\x07Jahres%20plan für 2026?.bin"
    mara.say(session, file=file(name, b"x" * LARGEST))
    attachment = Attachment.objects.get()
    assert attachment.size == LARGEST
    (told,) = callbacks()
    url = told["attachment"]["url"]
    fetched = Client().get(url.removeprefix(BASE_URL))
    assert len(fetched.content) == LARGEST
    assert "Jahres" in part(mara.page(session), "messages")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        (r"C:\Users\me\plan.pdf", "plan.pdf"),
        ("a\x00b\r\nc.txt", "abc.txt"),
        ("\u202egnp.exe", "gnp.exe"),
        ("...", "file"),
        ("", "file"),
        ("x" * 300 + ".jpeg", "x" * 115 + ".jpeg"),
    ],
)
def test_a_files_name_loses_what_misleads(given, kept):
    assert clean_name(given) == kept


def test_an_unknown_file_is_not_found(client, db):
    assert client.get(f"/attachments/{uuid.uuid4()}/plan.png").status_code == 404
    assert client.get("/attachments/1/plan.png").status_code == 404


def test_the_chosen_name_in_the_address_does_not_matter(mara, session, client):
    mara.say(session, file=file("plan.png", PNG))
    url = callbacks()[0]["attachment"]["url"].removeprefix(BASE_URL)
    fetched = client.get(url.replace("plan.png", "setup.exe"))
    assert 'filename="plan.png"' in fetched["Content-Disposition"]
    assert client.post(url).status_code == 405
