"""How messages read as text and as HTML, and which addresses they may hold."""

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels_app.payload import html, pieces, plain_text, url_problem

CARD = {
    "type": "CARD",
    "title": "Outage <today>",
    "text": "See below & wait",
    "image": "https://acme.example/a.png?x=1&y=2",
    "actions": [{"title": "Status", "url": "https://acme.example/status"}],
}


class Reader(HTMLParser):
    """Collects what a mail program would see."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.text, self.links = set(), "", []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in {"href", "src"}]
        if tag == "a":
            assert dict(attrs)["rel"] == "noopener noreferrer"

    def handle_data(self, data):
        self.text += data


def test_a_card_as_plain_text_has_everything_in_it():
    assert plain_text(CARD) == (
        "Outage <today>\nSee below & wait\nhttps://acme.example/a.png?x=1&y=2\n"
        "Status: https://acme.example/status"
    )


def test_a_text_and_an_image_as_plain_text():
    assert plain_text({"type": "TEXT", "text": "a\nb"}) == "a\nb"
    image = {"type": "IMAGE", "url": "https://acme.example/a.png", "text": "A cat"}
    assert plain_text(image) == "A cat\nhttps://acme.example/a.png"


def test_a_card_as_html_is_escaped_and_complete():
    read = Reader(html(CARD))
    assert read.tags == {"h2", "p", "img", "a"}
    assert read.links == ["https://acme.example/a.png?x=1&y=2", "https://acme.example/status"]
    assert "Outage <today>" in read.text
    assert "See below & wait" in read.text


def test_line_breaks_are_kept():
    assert html({"type": "TEXT", "text": "a\r\nb\nc"}) == "<p>a<br>\nb<br>\nc</p>"


def test_an_address_in_a_text_becomes_a_link_without_the_sentence_s_full_stop():
    text = "See https://acme.example/a?b=1&c=2, or (https://acme.example/x). Not javascript:x"
    read = Reader(html({"type": "TEXT", "text": text}))
    assert read.links == ["https://acme.example/a?b=1&c=2", "https://acme.example/x"]
    assert read.text == text


def test_an_address_with_a_password_is_not_made_clickable():
    read = Reader(html({"type": "TEXT", "text": "https://bank.example@evil.example/"}))
    assert read.links == []


MARKUP = [
    "<script>",
    "<img/src=x/onerror=x>",
    "<!--",
    "]]>",
    "<a/href=",
    "<style>",
    "<svg/onload=x>",
]
SCRAPS = st.sampled_from([*MARKUP, '"', "'", "&", "&lt;", ")", "javascript:", "https://a.example/"])


@settings(max_examples=300, deadline=None)
@given(st.lists(SCRAPS, max_size=12), st.sampled_from(["", " ", "\n"]))
def test_no_text_can_put_markup_into_html(scraps, between):
    text = between.join(scraps)
    payload = CARD | {"title": text, "text": text, "actions": []}
    read = Reader(html(payload))
    assert read.tags <= {"h2", "p", "br", "img", "a"}
    assert all(link.startswith("https://a") for link in read.links)
    assert "".join(read.text.split()) == "".join((text + text).split())


@given(st.lists(SCRAPS, max_size=12).map(" ".join))
def test_the_pieces_of_a_text_are_the_whole_text(text):
    found = list(pieces(text))
    assert "".join(piece.text for piece in found) == text
    assert all(piece.url in {"", piece.text} for piece in found)


def test_half_of_a_character_does_not_stop_an_e_mail():
    assert html({"type": "TEXT", "text": "a\ud800b\0"}) == "<p>a\ufffdb</p>"


@pytest.mark.parametrize(
    "url",
    [
        "https://acme.example",
        "http://127.0.0.1:8000/a?b=c#d",
        "HTTPS://Acme.Example/",
        "https://[2001:db8::1]:8443/x",
        "https://münchen.example/straße",
        "https://acme.example/@jake/1",
        "https://localhost./x",
    ],
)
def test_a_web_address_is_accepted(url):
    assert url_problem(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "acme.example",
        "//acme.example",
        "https:acme.example",
        "https://",
        "https://?x",
        "https://acme.example:99999",
        "https://acme.example:x",
        "https://[::1",
        "https://[v1.x]/",
        "https://a..b",
        "https://%61.example",
        "https://user@acme.example",
        "https://acme.example\\@evil.example",
        "https://acme.example/a b",
        "https://acme.example/\n",
        "\thttps://acme.example",
        "https://acme.example/\x85",
        'https://acme.example/"x',
        "https://acme.example/<x>",
        "data:text/html,x",
        "https://" + "a" * 254,
        "https://acme.example/" + "a" * 2048,
    ],
)
def test_what_is_no_safe_web_address_is_refused(url):
    assert url_problem(url) is not None
