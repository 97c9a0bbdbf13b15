"""The variables language for any text and any values."""

import json
import re
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from channels_app.payload import html
from notifications.text.content import ContentError, ContentKind, ContentSource
from notifications.text.filters import FILTERS
from notifications.text.payload import ACTION_TITLE_MAX, TEXT_MAX, TITLE_MAX
from notifications.text.variables import VariableError, escape, parse

fixed = settings(derandomize=True, deadline=None, max_examples=200)

NAMES = ["recipient.name", "recipient.login", "tenant.name", "request.message", "event.a"]
FILTERED = ["", *(f"|{one.example}" for one in FILTERS.values()), "|trim|upper", "|lower|title"]
HOSTILE = [
    *("@recipient.name", "@@", "@event.a|upper", '|default:"x"', "{{ 7*7 }}", "{% if 1 %}", "${x}"),
    *("<script>alert(1)</script>", "\"&<>'", "%00", "\\", "\r\nBcc: x@y.example", "\u202e", "\0"),
    *("\ud800", "2026-07-01T22:30:00Z", "javascript:alert(1)", "https://evil.example/", "…", "ß"),
]
VALUES = st.one_of(
    st.text(), st.sampled_from(HOSTILE), st.lists(st.sampled_from(HOSTILE)).map("".join)
)
ALL_VALUES = st.dictionaries(st.sampled_from(NAMES), VALUES)
ZONES = st.sampled_from([None, ZoneInfo("Europe/Madrid"), ZoneInfo("Pacific/Apia")])
# What an author might type, right or wrong.
SCRAPS = st.sampled_from(
    [f"@{name}{filters}" for name in NAMES for filters in FILTERED]
    + [*HOSTILE, "@recipient.nam", "@acme.x", "|shout", '"', ":", "1", " ", "@", "é", "|", "."]
)
TEXTS = st.lists(SCRAPS | st.text(max_size=5), max_size=15).map("".join)
# Plain text, and a variable apart from its neighbours.
PIECES = st.lists(
    st.tuples(st.just(""), st.text(max_size=8)) | st.tuples(st.sampled_from(NAMES), st.just("")),
    max_size=10,
)


def spelled(pieces: list[tuple[str, str]]) -> str:
    return "".join(f" @{name} " if name else escape(text) for name, text in pieces)


@fixed
@given(PIECES, ALL_VALUES)
def test_a_text_is_its_plain_parts_and_its_values_and_no_value_is_read_again(pieces, values):
    expected = "".join(f" {values.get(name, '')} " if name else text for name, text in pieces)
    program = parse(spelled(pieces))
    assert program.render(values) == expected
    assert program.bind(values).render(values) == expected
    assert parse(escape(expected)).render({}) == expected


@fixed
@given(TEXTS, ALL_VALUES, ZONES)
def test_any_text_is_parsed_or_refused_and_a_parsed_one_is_rendered(text, values, zone):
    try:
        program = parse(text)
    except VariableError as error:
        places = [problem.position for problem in error.problems]
        assert all(0 <= place <= len(text) for place in places)
        return
    assert "".join(segment.text for segment in program.segments) == text
    rendered = program.render(values, time_zone=zone)
    assert rendered == program.render(values, time_zone=zone)
    # No filter makes more than three letters of one, and no format more than some of each of its.
    most = sum(len(value) for value in values.values()) + 40
    assert len(rendered) <= len(text) + 3 * most * len(program.slots)


@fixed
@given(TEXTS, ALL_VALUES, st.sets(st.sampled_from(NAMES)), ZONES)
def test_it_makes_no_difference_when_a_value_is_filled_in(text, values, early, zone):
    try:
        program = parse(text)
    except VariableError:
        return
    bound = program.bind({name: values[name] for name in early & values.keys()})
    assert bound.render(values, time_zone=zone) == program.render(values, time_zone=zone)
    assert bound.missing(values) == program.missing(values)


def _longest(payload: dict[str, object], name: str) -> int:
    return len(str(payload.get(name, "")))


FIELDS = st.dictionaries(st.sampled_from(["title", "text", "url", "image"]), TEXTS)
ACTIONS = st.lists(st.fixed_dictionaries({"title": TEXTS, "url": TEXTS}), max_size=6)
OBJECTS = st.builds(lambda fields, actions: {**fields, "actions": actions}, FIELDS, ACTIONS)


@fixed
@given(st.sampled_from(ContentKind), TEXTS | OBJECTS.map(json.dumps), ALL_VALUES)
def test_any_content_is_a_payload_within_its_limits_or_a_content_error(kind, body, values):
    try:
        source = ContentSource.from_text(kind, body)
        bound = source.bind(values)
        bound.check_fixed()
        payload = bound.render(values)
    except ContentError as error:
        assert error.messages  # noqa: PT017
        return
    assert payload["type"] == kind
    assert "\0" not in str(payload)
    json.dumps(payload, ensure_ascii=False).encode()
    assert _longest(payload, "text") <= TEXT_MAX
    assert _longest(payload, "title") <= TITLE_MAX
    assert all(
        _longest(button, "title") <= ACTION_TITLE_MAX for button in payload.get("actions", [])
    )


@settings(fixed, max_examples=30)
@given(st.integers(1, 200), st.integers(0, 60_000), st.sampled_from(["", "|upper", "|title"]))
def test_no_value_makes_a_message_longer_than_its_limit(times, size, filters):
    source = ContentSource.from_text("TEXT", f"@request.message{filters} " * times)
    try:
        payload = source.render({"request.message": "ß" * size})
    except ContentError:
        assert times * size * (2 if filters == "|upper" else 1) + times > TEXT_MAX or not size
    else:
        assert len(payload["text"]) <= TEXT_MAX


@fixed
@given(VALUES.filter(bool))
def test_a_value_inside_a_url_stays_where_its_author_put_it(value):
    source = ContentSource.from_text(
        "IMAGE", "https://acme.example/a/@event.a/b?q=@event.a&z=1#@event.a"
    )
    try:
        url = source.render({"event.a": value})["url"]
    except ContentError:
        return  # too long
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc) == ("https", "acme.example")
    quoted = re.fullmatch(r"/a/([^/]*)/b", parts.path)
    assert quoted, "it broke out of its part of the path"
    assert re.fullmatch(r"(?:[A-Za-z0-9_.~-]|%[0-9A-F]{2})+", quoted[1])
    assert unquote(quoted[1]) == value.encode(errors="replace").decode()
    assert parts.query == f"q={quoted[1]}&z=1"
    assert parts.fragment == quoted[1]


@fixed
@given(VALUES)
def test_no_value_becomes_markup_in_an_e_mail(value):
    source = ContentSource.from_text("TEXT", "Hi @recipient.name, read this.")
    try:
        plain, hostile = (html(source.render({"recipient.name": name})) for name in ("Ana", value))
    except ContentError:
        return
    tags = re.compile(r"<\s*/?\s*([a-zA-Z!]+)")
    found = [tag for tag in tags.findall(hostile) if tag not in {"a", "br", "p"}]
    assert found == [tag for tag in tags.findall(plain) if tag not in {"a", "br", "p"}]
    targets = re.findall(r'href="([^"]*)"', hostile)
    assert len(targets) == hostile.count("href=")
    assert all(target.startswith(("https://", "http://")) for target in targets)
