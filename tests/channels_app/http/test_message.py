import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis.strategies import binary, sampled_from, text

from channels_app.http import BadAnswer, HttpResponse
from channels_app.http.headers import Headers

NOW = datetime(1994, 11, 6, 8, 49, 7, tzinfo=UTC)


def answer(body: bytes, content_type: str = "application/json") -> HttpResponse:
    return HttpResponse(200, Headers({"Content-Type": content_type}.items()), body)


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        ("Grüße".encode(), "text/plain", "Grüße"),
        ("Grüße".encode("latin-1"), "text/plain; charset=ISO-8859-1", "Grüße"),
        ("Grüße".encode("latin-1"), 'text/plain; charset="latin1"', "Grüße"),
        ("Grüße".encode("utf-16"), "text/plain; charset=utf-16", "Grüße"),
        ("日本".encode("shift_jis"), "text/plain; charset=Shift_JIS", "日本"),
        ("Grüße".encode("latin-1"), "text/plain", "Gr\ufffd\ufffde"),
        ("\ufeffGrüße".encode(), "text/plain", "Grüße"),
        (b"a\x00b", "text/plain", "ab"),
        (b"+AGE-", "text/plain; charset=utf-7", "+AGE-"),
        (b"\\u0041", "text/plain; charset=unicode_escape", "\\u0041"),
        (b"ab", "text/plain; charset=punycode", "ab"),
        (b"6162", "text/plain; charset=hex", "6162"),
        (b"ab", "text/plain; charset=no-such", "ab"),
        (b"ab", "text/plain; charset=\x00", "ab"),
        (b"ab", "", "ab"),
    ],
)
def test_a_body_is_read_in_its_declared_charset(body, content_type, expected):
    assert answer(body, content_type).text() == expected


@given(
    binary(max_size=200), sampled_from(["utf-8", "utf-16", "cp1252", "gb18030", "idna"]) | text()
)
def test_any_bytes_in_any_charset_become_storable_text(body, charset):
    stored = answer(body, f"text/plain; charset={charset}").text()
    assert "\x00" not in stored
    stored.encode("utf-8")


def test_a_json_object_is_read():
    assert answer(b'{"a": [1, 2.5, null, "\xc3\xbc"]}').json_object() == {"a": [1, 2.5, None, "ü"]}


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b'"x"', b"1", b"null", b"<html>", b"\xff", b'{"a": NaN}'),
        *(b'{"a": -Infinity}', b'{"a": 1e999}', b'{"a": ' + b"9" * 5000 + b"}"),
        *(b"[" * 60_000, b'{"a":' * 10_000),
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_not_a_json_object_is_a_bad_answer(body):
    with pytest.raises(BadAnswer):
        answer(body).json_object()


def test_a_cut_body_is_a_bad_answer_even_if_it_parses():
    with pytest.raises(BadAnswer):
        HttpResponse(200, Headers(), b"{}", truncated=True).json_object()


def test_escapes_cannot_bring_back_what_cannot_be_stored():
    body = rb'{"a\u0000": ["b\u0000c", {"d": "\ud800"}], "e": "\ud83d\ude00", "f": "\\u0000"}'
    value = answer(body).json_object()
    assert value == {"a": ["bc", {"d": "\ufffd"}], "e": "😀", "f": "\\u0000"}
    json.dumps(value, ensure_ascii=False).encode("utf-8")


def test_headers_are_found_in_any_case_and_listed_in_lower_case():
    response = HttpResponse(200, Headers({"X-Trace": "a\x00b"}.items()))
    assert response.headers["x-TRACE"] == "ab"
    assert list(response.headers) == ["x-trace"]
    assert response.headers.get("missing") is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("99999999999999999999", 86_400),
        ("9" * 5000, 86_400),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 30),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 30),
        ("Sun Nov  6 08:49:37 1994", 30),
        ("Sun, 06 Nov 1994 10:49:37 +0200", 30),
        ("Sat, 05 Nov 1994 08:49:37 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
    ],
)
def test_retry_after_is_read_in_each_of_its_forms(value, seconds):
    assert HttpResponse(429, Headers({"Retry-After": value}.items())).retry_after(NOW) == timedelta(
        seconds=seconds
    )


@pytest.mark.parametrize(
    "value", ["", "-5", "1.5", "soon", "٣", "Sun, 99 Nov 1994 08:49:37 GMT", "1e3", "1, 2", "0x10"]
)
def test_a_malformed_retry_after_asks_for_nothing(value):
    assert HttpResponse(429, Headers({"Retry-After": value}.items())).retry_after(NOW) is None


def test_no_retry_after_asks_for_nothing():
    assert HttpResponse(429).retry_after(NOW) is None


@given(text())
def test_no_retry_after_can_break_the_engine(value):
    wait = HttpResponse(429, Headers({"Retry-After": value}.items())).retry_after(NOW)
    assert wait is None or timedelta() <= wait <= timedelta(days=1)
