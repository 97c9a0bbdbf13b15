"""Every field, tried with what nobody means: a clear word, nothing half done, nothing lost."""

import pytest
from django.test import Client

from channels_app.models import Delivery
from notifications.forms.compose import ComposeForm
from notifications.models import Notification
from notifications.templating import create_template
from tests.support.channels import make_channel
from tests.support.composing import ADD, BY, LIST, composed, filled, page_of, press, problems, shows

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
