from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.text.filters import FILTERS
from notifications.text.variables import parse

MADRID = ZoneInfo("Europe/Madrid")


def filtered(value, filters, zone=None):
    return parse(f"@event.x|{filters}").render({"event.x": value}, time_zone=zone)


@pytest.mark.parametrize(
    ("value", "filters", "result"),
    [
        ("straße", "upper", "STRASSE"),
        ("ÉTÉ", "lower", "été"),
        ("it's o'neil", "title", "It's O'Neil"),
        ("jean-luc", "title", "Jean-Luc"),
        ("  a b ", "trim", "a b"),
        ("", 'default:"soon"|upper', "SOON"),
        (" ", 'trim|default:"soon"', "soon"),
        ("now", 'default:"soon"', "now"),
        ("", 'default:""', ""),
        ("abcdef", "truncate:6", "abcdef"),
        ("abcdef", "truncate:5", "abcd…"),
        ("abc def", "truncate:5", "abc…"),
        ("abc", "truncate:1", "…"),
    ],
)
def test_a_filter_changes_the_value(value, filters, result):
    assert filtered(value, filters) == result


@pytest.mark.parametrize(
    ("style", "result"),
    [
        ("short", "5 Mar 2026"),
        ("long", "Thursday, 5 March 2026"),
        ("time", "21:04"),
        ("Y-m-d H:i:s", "2026-03-05 21:04:09"),
        ("d/m/y", "05/03/26"),
        ("D j.n., g:i A", "Thu 5.3., 9:04 PM"),
        ("j F \\a\\t h G", "5 March at 09 21"),
    ],
)
def test_a_date_is_written_in_the_style_asked_for(style, result):
    assert filtered("2026-03-05T21:04:09", f'date:"{style}"') == result


def test_a_moment_is_shown_in_the_reader_s_time_zone():
    assert filtered("2026-07-01T22:30:00Z", 'date:"j M H:i T"', MADRID) == "2 Jul 00:30 CEST"
    assert filtered("2026-07-01T22:30:00", 'date:"j M H:i T"', MADRID) == "1 Jul 22:30 "
    assert filtered("2026-07-01", 'date:"short"', MADRID) == "1 Jul 2026"


@pytest.mark.parametrize("value", ["soon", "", "2026-13-01", "9999-12-31T23:59:59-12:00"])
def test_what_is_no_date_passes_unchanged(value):
    assert filtered(value, 'date:"short"', ZoneInfo("Asia/Tokyo")) == value


def test_midnight_and_noon_are_twelve_on_a_clock_of_twelve_hours():
    assert filtered("2026-03-05T00:05", 'date:"g:i A"') == "12:05 AM"
    assert filtered("2026-03-05T12:05", 'date:"g:i A"') == "12:05 PM"


def test_a_bound_moment_still_waits_for_the_reader_s_time_zone():
    program = parse('@event.a|trim|date:"H:i" @event.b|date:"H:i"')
    bound = program.bind({"event.a": " 2026-07-01T22:30:00Z ", "event.b": "2026-07-01T22:30"})
    assert bound.per_recipient
    assert bound.variables == frozenset()
    assert bound.missing({}) == []
    assert bound.render({}, time_zone=MADRID) == "00:30 22:30"
    assert bound.render({}, time_zone=ZoneInfo("Asia/Tokyo")) == "07:30 22:30"


@pytest.mark.parametrize("name", sorted(FILTERS))
@settings(max_examples=50, deadline=None)
@given(value=st.text())
def test_no_filter_fails_on_any_value(name, value):
    result = filtered(value, FILTERS[name].example, MADRID)
    assert isinstance(result, str)


@settings(max_examples=100, deadline=None)
@given(st.text(), st.integers(1, 50))
def test_a_truncated_text_is_never_longer_than_asked(value, most):
    assert len(filtered(value, f"truncate:{most}")) <= most
