"""Every field, tried with what nobody means: a clear word, nothing half done, nothing lost."""

import sqlite3

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from channels_app.models import Delivery
from notifications.forms.compose import ComposeForm
from notifications.models import Notification, Stage
from notifications.templating import create_template
from tests.support.channels import make_channel
from tests.support.composing import (
    ADD,
    BY,
    LIST,
    composed,
    do,
    filled,
    page_of,
    press,
    problems,
    shows,
)

SCRIPT = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
FIELDS = sorted({*ComposeForm.base_fields, "action_title", "action_url", "event.x", "json_shown"})
PART = LIST + "compose/audience/"
BAD = {
    "nothing": "",
    "NUL": "a\0b",
    "script": SCRIPT,
    "a number too large": "9" * 40,
    "another alphabet": "٣",
    "long": "x" * 300_000,
    "a direction mark": "\u202e\ufeff\u2028",
}


@pytest.fixture
def admin(client_as):
    return client_as("Administrator", username="mara", recipient_login="ana@acme.example")


@pytest.mark.parametrize("value", BAD.values(), ids=BAD.keys())
def test_no_field_breaks_the_page(admin, value):
    whens = {"when": "repeat", "repeat": "own", "rule": "FREQ=DAILY", "send_at": "2100-01-01T09:00"}
    for field in FIELDS:
        form = filled(text='Hi @event.x|default:"you"', **whens) | {field: value}
        for url, action in ((PART, "check"), (ADD, "save"), (ADD, "send")):
            response = admin.post(url, {**form, "action": action}, follow=True)
            assert response.status_code == 200, (field, action)
            body = response.content.decode()
            assert "<script>alert" not in body, (field, action)
            assert "<img src=x" not in body, (field, action)


@pytest.mark.parametrize("field", ["text", "card_title", "source", "title", "message", "contacts"])
def test_what_was_typed_is_still_there_when_it_is_refused(admin, field):
    typed = f"My words <b>& yours</b> {field}"
    kind = {"card_title": "CARD", "source": "CARD"}.get(field, "TEXT")
    form = {"everyone": None, "kind": kind, "send_at": "nonsense", "when": "later", "as_json": "on"}
    response = press(admin, "send", **(form | {"json_shown": "1", field: typed}))
    assert problems(response)
    assert shows(response, typed)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"everyone": None}, "Choose people, roles or everyone."),
        ({"text": " \n "}, "Write a message or choose a template."),
        ({"text": "Hello @recipient.nmae"}, "did you mean name?"),
        ({"text": "At @event.time"}, "No value for @event.time."),
        ({"text": "x" * 40_001}, "at most 40000 characters"),
        ({"title": "x" * 151}, "at most 150 characters"),
        ({"everyone": None, "contacts": "nobody@x"}, "Nobody is known as nobody@x."),
        ({"everyone": None, "contacts": "eve@other.example"}, "Nobody is known as eve@other"),
        ({"everyone": None, "roles": ["7"]}, "Select a valid choice. 7"),
        ({"everyone": None, "roles": ["x"]}, "Select a valid choice. x"),
        ({"kind": "CARD", "as_json": "on", "json_shown": "1", "source": '{"title":'}, "not JSON"),
        ({"kind": "CARD", "as_json": "on", "json_shown": "1", "source": "[1]"}, "a JSON object"),
        ({"kind": "CARD", "action_title": ["A"], "action_url": [""]}, "Button 1 URL: It is empty."),
        (
            {"kind": "CARD", "action_title": ["A"], "action_url": ["javascript:alert(1)"]},
            "Button 1 URL: The URL must begin with https://",
        ),
        ({"kind": "IMAGE", "text": "", "image": "ftp://x"}, "Image URL: The URL must begin with"),
        ({"kind": "IMAGE", "image": "@event.x", "event.x": "no url"}, "URL holds a space"),
        ({"kind": "SONG"}, "Select a valid choice. SONG"),
        ({"channel": "999999"}, "Channel: Select a valid choice"),
        ({"priority": "4"}, "Priority: Select a valid choice"),
        ({"when": "never"}, "When: Select a valid choice"),
        ({"time_zone": "Mars/Base"}, "is not a time zone"),
    ],
)
def test_what_is_wrong_is_said_in_words_and_nothing_is_kept(admin, fields, words):
    response = press(admin, "send", **fields)
    assert any(words in problem for problem in problems(response)), problems(response)
    assert not Notification.objects.exists()


def test_another_houses_template_channel_role_and_people_are_nowhere(admin, other_tenant):
    template = create_template(other_tenant, name="Secret", kind="TEXT", body="Hidden", by=BY)
    channel = make_channel(other_tenant, "chat", name="Theirs")
    for fields in (
        {"template": template.current.pk},
        {"channel": channel.pk},
        {"roles": ["7"], "everyone": None},
        {"preview_as": "eve@other.example", "text": "Hello @recipient.name"},
    ):
        for url in (ADD, LIST + "compose/message/", LIST + "compose/audience/"):
            body = admin.post(url, {"action": "check", **filled(**fields)}).content.decode()
            assert not any(word in body for word in ("Secret", "Hidden", "Theirs", "Eve Else"))
    page = admin.get(ADD).content.decode()
    assert not any(word in page for word in ("Secret", "Theirs", "Role7"))
    assert "Eve" not in admin.get(LIST + "compose/found/", {"find": "eve"}).content.decode()


def test_markup_is_text_everywhere_it_is_shown(admin):
    draft = composed(
        admin, "send", text=SCRIPT, title=SCRIPT, when="later", send_at="2100-01-01T09:00"
    )
    for url in (LIST, page_of(draft), f"{LIST}{draft.pk}/progress/", f"{LIST}{draft.pk}/people/"):
        body = admin.get(url).content.decode()
        assert "<script>alert" not in body
        assert "<img src=x" not in body
    assert shows(admin.get(page_of(draft)), SCRIPT)


def test_ten_megabytes_are_refused_calmly_and_keep_nothing(admin):
    form = filled(text="x" * 10_000_000)
    client = Client(raise_request_exception=False, cookies={})
    client.cookies = admin.cookies
    for url in (ADD, LIST + "compose/message/", LIST + "compose/audience/"):
        response = client.post(url, {"action": "send", **form})
        assert response.status_code == 400
        assert b"too large" in response.content
    assert not Notification.objects.exists()


def test_bytes_of_no_encoding_are_read_as_far_as_they_go(admin):
    body = b"action=save&everyone=on&kind=TEXT&when=now&priority=5&text=%ff%fe+%ed%a0%80+ok"
    response = admin.post(ADD, body, content_type="application/x-www-form-urlencoded", follow=True)
    assert response.status_code == 200
    assert Notification.objects.get().body.endswith(" ok")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data"])
def test_a_body_that_is_no_form_is_no_form(admin, content_type):
    client = Client(raise_request_exception=False)
    client.cookies = admin.cookies
    response = client.post(ADD, b'{"action": "send"', content_type=content_type)
    assert response.status_code in (200, 400)
    assert not Notification.objects.exists()


def test_too_many_fields_are_refused_calmly(admin):
    client = Client(raise_request_exception=False)
    client.cookies = admin.cookies
    many = {f"event.v{number}": "x" for number in range(2100)}
    assert client.post(ADD, filled(**many)).status_code == 400


def test_more_people_than_a_list_may_name_are_refused(admin):
    names = "\n".join(f"p{number}" for number in range(10_001))
    response = press(admin, "save", everyone=None, contacts=names)
    assert any("At most 10,000 people by name" in text for text in problems(response))
    assert not Notification.objects.exists()


CROWD = 260_000  # short logins fill a page that is still within the limit for all pages
TOO_MANY = "At most 10,000 people by name; use a role for more."


@pytest.fixture
def usual_limits(db):
    """SQLite as it is built by default: 32,766 variables in a query; Debian's takes more."""
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        code = sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER
        before = connection.connection.setlimit(code, 32_766)
        yield
        connection.connection.setlimit(code, before)
    else:
        yield


@pytest.mark.parametrize("number", [10_001, CROWD])
@pytest.mark.parametrize("narrow", ["on", None])
def test_a_crowd_by_name_is_refused_in_each_part_and_stays_typed(
    admin, usual_limits, number, narrow
):
    names = "\n".join(f"p{number}" for number in range(number))
    form = filled(everyone=None, contacts=names, roles=["-4"], narrow=narrow)
    with CaptureQueriesContext(connection) as queries:
        live = admin.post(PART, form)
    assert (live.status_code, shows(live, TOO_MANY)) == (200, True)
    assert "Ana Ruiz" not in live.content.decode()  # not even those who hold the role
    assert max(len(query["sql"]) for query in queries) < 10_000
    listed = admin.post(LIST + "compose/people/", {**form, "show": "all"})
    assert (listed.status_code, shows(listed, "Ana Ruiz")) == (200, False)
    for action in ("check", "save", "test", "send"):
        response = admin.post(ADD, {**form, "action": action})
        assert (response.status_code, shows(response, TOO_MANY)) == (200, True)
        assert shows(response, f"p{number - 1}</textarea>") or names in response.content.decode()
    assert not Notification.objects.exists()


def test_everyone_outweighs_a_crowd_by_name(admin, usual_limits):
    names = "\n".join(f"p{number}" for number in range(CROWD))
    assert "<b>4 people</b>" in admin.post(PART, filled(contacts=names)).content.decode()
    assert composed(admin, "send", contacts=names).audience["everyone"]


def test_as_many_as_a_list_may_name_are_looked_up_with_the_usual_limits(admin, usual_limits):
    names = ["ana@acme.example", *(f"Ä{number}@x.example" for number in range(9_999))]
    form = filled(everyone=None, contacts="\n".join(names), roles=["-2"])
    live = admin.post(PART, form).content.decode()
    assert "<b>3 people</b>" in live
    assert "Nobody is known as Ä0@x.example" in live
    assert admin.post(LIST + "compose/people/", {**form, "show": "left_out"}).status_code == 200
    draft = composed(admin, "save", **form)
    assert admin.get(page_of(draft)).status_code == 200
    assert admin.get(f"{LIST}{draft.pk}/people/").status_code == 200
    narrow = admin.post(PART, {**form, "roles": ["-4"], "narrow": "on"}).content.decode()
    assert "<b>1 person</b>" in narrow


HIDDEN = {
    "half a character": (r"\ud800", "It holds half of a character (a lone surrogate)."),
    "NUL": (r"a\u0000b", "It holds a NUL character, which cannot be stored."),
}


@pytest.mark.parametrize("escape", HIDDEN)
@pytest.mark.parametrize(
    ("kind", "source", "label"),
    [
        ("CARD", '{"title": "%s", "text": "x"}', "Title"),
        ("CARD", '{"text": "%s"}', "Text"),
        ("CARD", '{"text": "x", "image": "https://a.example/%s"}', "Image URL"),
        (
            "CARD",
            '{"text": "x", "actions": [{"title": "%s", "url": "https://a.example"}]}',
            "Button 1 title",
        ),
        (
            "CARD",
            '{"text": "x", "actions": [{"title": "Go", "url": "https://a.example/%s"}]}',
            "Button 1 URL",
        ),
        ("IMAGE", '{"url": "https://a.example/x.png", "text": "%s"}', "Text"),
    ],
)
def test_a_character_hidden_in_a_json_escape_is_shown_as_it_was_written(
    admin, escape, kind, source, label
):
    code, problem = HIDDEN[escape]
    source = source % code
    form = {"kind": kind, "json_shown": "1", "source": source}
    for as_json in ("on", None):
        part = admin.post(LIST + "compose/message/", filled(**form, as_json=as_json))
        assert part.status_code == 200
        assert shows(part, f"{label}: {problem}")
    draft = composed(admin, "save", **form, as_json="on")
    page = admin.get(page_of(draft))
    assert page.status_code == 200
    assert shows(page, source)
    assert shows(page, f"{label}: {problem}")
    assert admin.get(LIST).status_code == 200
    assert do(admin, draft, "discard").status_code == 200
    draft.refresh_from_db()
    assert draft.stage == Stage.CANCELLED


@pytest.mark.parametrize("key", ["0" * 20 + "1" * 4400, "1" * 5000, "9" * 19, "9" * 20, "٣"])
@pytest.mark.parametrize("place", ["change/", "people/", "progress/", ""])
def test_a_number_that_no_notification_has_is_not_found(admin, key, place):
    composed(admin)
    assert admin.get(f"{LIST}{key}/{place}", follow=True).status_code == 404


def test_a_note_and_a_search_of_any_kind_break_nothing(admin, client_as):
    handed_in = composed(client_as("Composer", username="carl"), "submit")
    for text in BAD.values():
        for name in ("find", "preview_find", "test_to", "nothing"):
            found = admin.get(LIST + "compose/found/", {name: text[:2000], "for": text[:2000]})
            assert found.status_code == 200
            assert "<script>alert" not in found.content.decode()
        assert (
            admin.get(page_of(handed_in), {"as": text[:2000], "before": text[:50]}).status_code
            == 200
        )
        people = {"after": text[:50], "show": text[:50]}
        assert admin.get(f"{LIST}{handed_in.pk}/people/", people).status_code == 200
        since = {"since": text[:500]}
        assert admin.get(f"{LIST}{handed_in.pk}/progress/", since).status_code in (200, 286)
    response = admin.post(
        f"{LIST}{handed_in.pk}/do/decline/", {"note": SCRIPT + "\0" + "x" * 9000}, follow=True
    )
    assert response.status_code == 200
    assert not Delivery.objects.exists()
