import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.text.content import ContentError, ContentKind, ContentSource

CARD = {
    "type": "CARD",
    "title": "Outage at @tenant.name",
    "text": "@request.message",
    "image": "https://acme.example/@event.picture",
    "actions": [{"title": "Open", "url": "https://acme.example/?q=@recipient.login"}],
}
VALUES = {
    "tenant.name": "Acme",
    "request.message": '{"not": "read"}',
    "event.picture": "a b.png",
    "recipient.login": "ana&co=1@acme.example",
}


def errors(kind, body):
    with pytest.raises(ContentError) as caught:
        ContentSource.from_text(kind, body)
    return caught.value.errors


def rendering_errors(source, values):
    with pytest.raises(ContentError) as caught:
        source.render(values)
    return caught.value.errors


def test_a_text_is_rendered_for_a_recipient():
    source = ContentSource.from_text("text", "Hi @recipient.name")
    assert source.kind is ContentKind.TEXT
    assert source.variables == {"recipient.name"}
    assert source.per_recipient
    assert source.missing({}) == ["recipient.name"]
    assert source.render({"recipient.name": "Ana"}) == {"type": "TEXT", "text": "Hi Ana"}


def test_a_text_that_looks_like_json_is_a_text():
    assert ContentSource.from_text("TEXT", '{"a": 1}').render({})["text"] == '{"a": 1}'


def test_an_image_is_a_url_or_an_object():
    url = "https://acme.example/a.png"
    assert ContentSource.from_text("IMAGE", f" {url}\n").render({}) == {"type": "IMAGE", "url": url}
    with_caption = ContentSource.from_text("IMAGE", json.dumps({"url": url, "text": "A cat"}))
    assert with_caption.render({}) == {"type": "IMAGE", "url": url, "text": "A cat"}


def test_a_card_is_rendered_with_values_as_text_and_urls_encoded():
    source = ContentSource.from_text("Card", json.dumps(CARD))
    assert source.missing({}) == [
        "tenant.name",
        "request.message",
        "event.picture",
        "recipient.login",
    ]
    assert source.render(VALUES) == {
        "type": "CARD",
        "title": "Outage at Acme",
        "text": '{"not": "read"}',
        "image": "https://acme.example/a%20b.png",
        "actions": [
            {"title": "Open", "url": "https://acme.example/?q=ana%26co%3D1%40acme.example"}
        ],
    }


def test_a_bound_card_renders_the_same():
    source = ContentSource.from_text("CARD", json.dumps(CARD))
    common = {name: VALUES[name] for name in VALUES if name != "recipient.login"}
    bound = source.bind(common)
    assert bound.variables == {"recipient.login"}
    assert bound.render(VALUES) == source.render(VALUES)
    assert source.bind(VALUES).is_constant


def test_what_is_empty_leaves_no_key():
    card: dict[str, object] = {"title": "Hi", "text": "", "image": None, "actions": []}
    assert ContentSource.from_text("CARD", json.dumps(card)).render({}) == {
        "type": "CARD",
        "title": "Hi",
    }


def test_a_url_may_come_whole_from_a_value_and_is_checked_then():
    source = ContentSource.from_text("IMAGE", "@event.picture")
    url = "https://acme.example/a?b=c"
    assert source.render({"event.picture": url})["url"] == url
    assert (
        "https://" in rendering_errors(source, {"event.picture": "javascript:alert(1)"})["url"][0]
    )
    assert rendering_errors(source, {}) == {"url": ["It is empty."]}


def test_a_value_cannot_choose_the_host_of_a_fixed_address():
    source = ContentSource.from_text("IMAGE", "https://@event.host.acme.example/a.png")
    assert source.render({"event.host": "cdn"})["url"] == "https://cdn.acme.example/a.png"
    assert rendering_errors(source, {"event.host": "evil.example/"}) == {
        "url": ["The URL has no valid host name."]
    }


def test_an_action_that_values_leave_empty_is_named():
    card = {"title": "a", "actions": [{"title": "@event.go", "url": "https://a.example"}]}
    source = ContentSource.from_fields("CARD", card)
    assert rendering_errors(source, {}) == {"actions.0.title": ["It is empty."]}


@pytest.mark.parametrize("bad", ["\0", "\ud800"])
def test_a_value_that_cannot_be_stored_stops_its_own_message_only(bad):
    source = ContentSource.from_text("TEXT", "Hi @recipient.name")
    assert "text" in rendering_errors(source, {"recipient.name": bad})
    assert source.render({"recipient.name": "Ana"})["text"] == "Hi Ana"


def test_a_text_that_values_make_too_long_or_empty_is_refused():
    source = ContentSource.from_text("TEXT", "@request.message @request.message")
    assert "40,000" in rendering_errors(source, {"request.message": "a" * 20_000})["text"][0]
    assert rendering_errors(source, {"request.message": " "}) == {"text": ["It is empty."]}


@pytest.mark.parametrize(
    ("kind", "body", "field", "words"),
    [
        ("TEXT", "", "text", "empty"),
        ("TEXT", " \n", "text", "empty"),
        ("TEXT", "a\0b", "body", "NUL"),
        ("TEXT", "a\udfffb", "body", "surrogate"),
        ("TEXT", "a" * 40_001, "body", "40,001 characters"),
        ("TEXT", "@acme.example", "text", "Character 1"),
        ("IMAGE", "", "url", "empty"),
        ("IMAGE", "not a url", "url", "space"),
        ("IMAGE", "ftp://acme.example/a", "url", "https://"),
        ("IMAGE", "https://ana:pw@acme.example/a", "url", "password"),
        ("IMAGE", "https://x-@@acme.example/@recipient.login", "url", "password"),
        ("IMAGE", "https:///@recipient.login", "url", "host"),
        ("IMAGE", '{"text": "no picture"}', "url", "empty"),
        ("IMAGE", '{"url": "https://a.example", "title": "x"}', "title", "known: url, text"),
        ("CARD", "", "body", "title or a text"),
        ("CARD", "Hello", "body", "not JSON"),
        ("CARD", "[]", "body", "JSON object"),
        ("CARD", "{}", "body", "title or a text"),
        ("CARD", '{"title": " "}', "body", "title or a text"),
        ("CARD", '{"type": "TEXT", "text": "x"}', "type", "CARD"),
        ("CARD", '{"title": 5}', "title", "must be a text"),
        ("CARD", '{"title": NaN}', "body", "NaN"),
        ("CARD", '{"title": -Infinity}', "body", "Infinity"),
        ("CARD", '{"title": "a", "title": "b"}', "body", 'key "title" stands there twice'),
        ("CARD", '{"title": "a\\u0000"}', "title", "NUL"),
        ("CARD", '{"title": "\\ud800"}', "title", "surrogate"),
        ("CARD", '{"title": "a", "\\ud800\\u0000": 1}', "\\ud800\\0", "not known"),
        ("CARD", '{"title": ' + "9" * 5000 + "}", "body", "number"),
        ("CARD", '{"title": "a", "text": "@tenant.nam"}', "text", "did you mean name?"),
        ("CARD", json.dumps({"title": "a" * 301}), "title", "300"),
        ("CARD", '{"title": "a", "actions": {}}', "actions", "list"),
        ("CARD", '{"title": "a", "actions": [5]}', "actions.0", "a title and a url"),
        ("CARD", '{"title": "a", "actions": [{"title": "x"}]}', "actions.0", "a title and a url"),
        (
            "CARD",
            '{"title": "a", "actions": [{"title": "", "url": "https://a.example"}]}',
            "actions.0.title",
            "empty",
        ),
        (
            "CARD",
            '{"title": "a", "actions": [{"title": "x", "url": "javascript:x"}]}',
            "actions.0.url",
            "https://",
        ),
    ],
)
def test_content_that_is_wrong_is_refused_by_field(kind, body, field, words):
    found = errors(kind, body)
    assert list(found) == [field]
    assert words in found[field][0]


def test_a_card_has_five_actions_at_most():
    action = {"title": "Go", "url": "https://acme.example"}
    card = {"title": "a", "actions": [action] * 5}
    assert len(ContentSource.from_text("CARD", json.dumps(card)).render({})["actions"]) == 5
    card["actions"] = [action] * 6
    assert "actions" in errors("CARD", json.dumps(card))


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deeply_nested_json_is_refused(opening):
    body = '{"title":' + opening * 7000
    assert "nested too deeply" in errors("CARD", body)["body"][0]


def test_every_wrong_field_is_named_at_once():
    body = json.dumps({"title": "@acme.x", "text": "@acme.x", "image": "nowhere"})
    assert set(errors("CARD", body)) == {"title", "text", "image"}


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="VIDEO"):
        ContentSource.from_text("VIDEO", "x")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["title", "text", "url", "image", "actions", "type"]) | st.text(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(ContentKind), JSON_VALUES.map(json.dumps) | st.text(max_size=60))
def test_any_body_is_either_content_or_a_content_error(kind, body):
    try:
        source = ContentSource.from_text(kind, body)
        payload = source.render(dict.fromkeys(source.variables, "x"))
    except ContentError as error:
        assert error.messages  # noqa: PT017
        json.dumps(error.errors).encode()
        return
    assert payload["type"] == kind
    assert json.loads(json.dumps(payload, allow_nan=False)) == payload
