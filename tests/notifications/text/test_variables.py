import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.text.variables import VariableError, escape, is_name, parse

VALUES = {
    "recipient.name": "Ana Lima",
    "recipient.first_name": "Ana",
    "tenant.name": "Acme",
    "request.message": "Exchange is down",
}


def render(text, values=VALUES):
    return parse(text).render(values)


def problems(text):
    with pytest.raises(VariableError) as caught:
        parse(text)
    return [(problem.position, problem.message) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("Hi @recipient.name!", "Hi Ana Lima!"),
        ("@recipient.first_name, @tenant.name: @request.message", "Ana, Acme: Exchange is down"),
        ("Ask @recipient.name.", "Ask Ana Lima."),
        ("(@recipient.name)", "(Ana Lima)"),
        ("@recipient.name.png", "Ana Lima.png"),
        ("@recipient.name|upper|lower", "ana lima"),
        ("@recipient.name | Acme", "Ana Lima | Acme"),
        ("|@recipient.name|@tenant.name|", "|Ana Lima|Acme|"),
        ("您好@recipient.name。", "您好Ana Lima。"),
        ("@@recipient.name", "@recipient.name"),
        ("@@@recipient.name", "@Ana Lima"),
        ("@recipient.name|upper: welcome", "ANA LIMA: welcome"),
        ('@event.until|default:"so \\"on\\""', 'so "on"'),
    ],
)
def test_a_variable_is_replaced_by_its_value(text, result):
    assert render(text) == result


@pytest.mark.parametrize(
    "text",
    [
        "jake@acme.example",
        "josé@acme.example",
        "a_@acme.example",
        "7@acme.example",
        "@home",
        "@ 9.30",
        "@9.a",
        "@a.9",
        "@a .b",
        "@",
        "a @",
        "",
        "100% {{ recipient.name }} ${recipient.name} {recipient.name}",
    ],
)
def test_an_at_sign_that_names_nothing_is_plain_text(text):
    program = parse(text)
    assert program.is_constant
    assert program.render({}) == text


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("Hi @acme.example", 3, '"@acme" is not known'),
        ("Hi @acme.example", 3, "@@ for a plain @"),
        ("@Recipient.name", 0, "did you mean recipient?"),
        ("@recipient.frist_name", 0, "did you mean first_name?"),
        ("@request.body", 0, "known: message"),
        ("@event.Until", 0, "small letters"),
        (f"@event.{'a' * 65}", 0, "64 at most"),
        ("@tenant.name|shout", 12, '"shout" is not a filter'),
        ("@tenant.name|uper", 12, "did you mean upper?"),
        ("@tenant.name|truncate", 12, "truncate:40"),
        ('@tenant.name|truncate:"9"', 12, "needs a number"),
        ("@tenant.name|truncate:0", 12, "between 1 and"),
        ("@tenant.name|default", 12, 'default:"soon"'),
        ("@tenant.name|default:“soon”", 12, "straight double quotes"),
        ('@tenant.name|default:"soon', 12, "straight double quotes"),
        (f'@tenant.name|default:"{"a" * 201}"', 12, "straight double quotes"),
        ('@tenant.name|upper:"x"', 12, "takes no argument"),
        ('@event.until|date:"Q"', 12, "'Q' is no format letter"),
        ('@event.until|date:""', 12, "empty"),
        ("@tenant.name" + "|trim" * 6, 37, "5 filters at most"),
    ],
)
def test_a_mistake_is_named_with_its_place(text, position, words):
    [(found, message)] = problems(text)
    assert found == position
    assert words in message


def test_all_mistakes_are_told_at_once():
    with pytest.raises(VariableError) as caught:
        parse("@acme.x and @tenant.nam and @tenant.name|shout")
    assert [problem.position for problem in caught.value.problems] == [0, 12, 40]
    assert str(caught.value).startswith("Character 1: ")


def test_a_text_has_a_longest_length_and_a_most_of_variables():
    assert parse("a" * 40_000).is_constant
    assert "40,001 characters" in problems("a" * 40_001)[0][1]
    assert len(parse("@tenant.name " * 200).segments) == 400
    assert "200 variables" in problems("@tenant.name " * 201)[0][1]


def test_what_is_missing_is_named_once_and_in_order():
    program = parse('@event.b @event.a @event.b|upper @event.c|default:"x" @tenant.name')
    assert program.missing({"tenant.name": "Acme"}) == ["event.b", "event.a"]
    assert program.missing({"tenant.name": "Acme", "event.a": "1", "event.b": ""}) == ["event.b"]
    assert program.render({"tenant.name": "Acme"}) == "   x Acme"


def test_a_default_in_one_place_leaves_the_other_place_missing():
    assert parse('@event.a|default:"x" @event.a').missing({}) == ["event.a"]


def test_a_program_tells_what_it_uses():
    program = parse("@recipient.name at @tenant.name")
    assert program.variables == {"recipient.name", "tenant.name"}
    assert program.uses("tenant.name")
    assert not program.uses("request.message")
    assert program.per_recipient
    assert not parse("@tenant.name").per_recipient
    assert parse('@event.until|date:"short"').per_recipient


def test_segments_spell_the_text_out_and_mark_its_variables():
    text = 'Hi @recipient.name|default:"you", write to a@@b.'
    segments = parse(text).segments
    assert "".join(segment.text for segment in segments) == text
    assert [tuple(segment) for segment in segments[:3]] == [
        ("text", "Hi "),
        ("variable", '@recipient.name|default:"you"'),
        ("text", ", write to a"),
    ]
    assert segments[3] == ("escape", "@@")


def test_binding_leaves_only_what_differs_by_recipient():
    program = parse("@recipient.name: @request.message (@event.note)")
    bound = program.bind({"request.message": "@tenant.name", "event.note": "x"})
    assert bound.variables == {"recipient.name"}
    assert bound.render({"recipient.name": "Ana"}) == "Ana: @tenant.name (x)"
    assert ("value", "@tenant.name") in bound.segments
    assert program.bind(VALUES | {"event.note": "x"}).is_constant


def test_binding_an_empty_value_keeps_it_missing():
    bound = parse('@event.a @event.b|default:"x"').bind({"event.a": "", "event.b": ""})
    assert bound.missing({}) == ["event.a"]
    assert bound.render({}) == " x"


@pytest.mark.parametrize(
    "text",
    [
        "@" * 39_999,
        "@a" * 20_000,
        "@a.b|" * 8_000,
        "@" + "a" * 39_999,
        '@event.a|default:"' + '\\"' * 19_000,
        '@event.a|default:"' * 2_000,
        "@event.a" + "|upper" * 6_000,
    ],
)
def test_hostile_text_is_answered_at_once(text):
    # A scanner that went back over the text would not come to an end within the suite.
    try:
        assert parse(text).render({}) is not None
    except VariableError as error:
        assert len(error.problems) <= 201  # noqa: PT017


def test_an_event_name_is_small_letters_digits_and_underscores():
    assert is_name("until_2")
    assert not any(is_name(name) for name in ("", "2x", "a-b", "A", "é", "a" * 65, "a\n"))


@settings(max_examples=200, deadline=None)
@given(st.text().filter(lambda text: "@" not in text))
def test_a_text_without_an_at_sign_renders_to_itself(text):
    assert parse(text).render({}) == text


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.one_of(st.sampled_from('@@@ab.|:"'), st.characters())))
def test_an_escaped_text_renders_to_the_original(text):
    program = parse(escape(text))
    assert program.is_constant
    assert program.render({}) == text


@settings(max_examples=300, deadline=None)
@given(value=st.text(alphabet=st.one_of(st.sampled_from("@tenant.name|upper"), st.characters())))
def test_an_inserted_value_is_never_read_as_a_variable(value):
    values = {"request.message": value, "tenant.name": "Acme"}
    program = parse("<@request.message> @tenant.name")
    assert program.render(values) == f"<{value}> Acme"
    assert program.bind({"request.message": value}).render(values) == f"<{value}> Acme"


REFERENCES = st.sampled_from(
    ["@recipient.name", "@tenant.name|upper", '@event.x|default:"d"', "@event.y", "@@", " ", "é|"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(REFERENCES), st.sets(st.sampled_from(["recipient.name", "tenant.name", "event.x"])))
def test_binding_first_changes_nothing_in_the_result(parts, early):
    values = {"recipient.name": "Ana", "tenant.name": "@@", "event.x": ""}
    program = parse(" ".join(parts))
    bound = program.bind({name: values[name] for name in early})
    assert bound.render(values) == program.render(values)
    assert bound.missing(values) == program.missing(values)
