"""Reading what an author wrote: the body of a message becomes named strings.

The strings are named by their path in the payload: "text", "image", "actions.0.url".
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from notifications.text.payload import (
    ACTIONS_MAX,
    FIELDS,
    TEXT_MAX,
    ContentError,
    ContentKind,
    character_problem,
    empty_errors,
    required_fields,
)
from notifications.text.variables import length

_EXAMPLES = {
    ContentKind.IMAGE: '{"url": "https://…", "text": "caption"}',
    ContentKind.CARD: '{"title": "…", "text": "…", "actions": [{"title": "…", "url": "https://…"}]}',
}


def read_body(kind: ContentKind, body: str) -> dict[str, str]:
    """Raise ContentError for a body that is not of its kind.

    A TEXT is its body; an IMAGE is a URL or a JSON object; a CARD is a JSON object.
    """
    if (size := length(body)) > TEXT_MAX:
        raise _wrong(f"It has {size:,} characters; the most is {TEXT_MAX:,}.")
    if problem := character_problem(body):
        raise _wrong(problem)
    if kind is ContentKind.TEXT:
        return read_fields(kind, {"text": body})
    stripped = body.strip()
    if kind is ContentKind.IMAGE and not stripped.startswith("{"):
        return read_fields(kind, {"url": stripped})
    if not stripped:
        raise ContentError(empty_errors(kind))
    return read_fields(kind, _json_object(kind, stripped))


def read_fields(kind: ContentKind, fields: Mapping[str, object]) -> dict[str, str]:
    """Return the strings of a payload that may hold variables; absent and empty ones are left out.

    Raises ContentError for unknown keys and wrong types.
    """
    errors: dict[str, list[str]] = {}
    strings: dict[str, str] = {}
    given = {name: value for name, value in fields.items() if value not in (None, "", [])}
    own_kind = given.pop("type", kind.value)
    if not isinstance(own_kind, str) or own_kind.upper() != kind.value:
        errors["type"] = [f"It must be {kind.value}."]
    for name in given.keys() - set(FIELDS[kind]):
        known = ", ".join(FIELDS[kind])
        errors[shown(name)] = [f"This key is not known here; known: {known}."]
    for name in FIELDS[kind]:
        if name == "actions" and name in given:
            _read_actions(given[name], strings, errors)
        elif name in given:
            _read_string(name, given[name], strings, errors)
    if not errors and not any(strings.get(name, "").strip() for name in required_fields(kind)):
        errors = empty_errors(kind)
    if errors:
        raise ContentError(errors)
    return strings


def _read_string(
    path: str, value: object, strings: dict[str, str], errors: dict[str, list[str]]
) -> None:
    if not isinstance(value, str):
        errors[path] = ["It must be a text."]
    elif problem := character_problem(value):
        errors[path] = [problem]
    else:
        strings[path] = value


def _read_actions(value: object, strings: dict[str, str], errors: dict[str, list[str]]) -> None:
    if not isinstance(value, list):
        errors["actions"] = ["It must be a list."]
        return
    if len(value) > ACTIONS_MAX:
        errors["actions"] = [f"A card has {ACTIONS_MAX} actions at most."]
        return
    for number, action in enumerate(value):
        path = f"actions.{number}"
        if not isinstance(action, dict) or action.keys() != {"title", "url"}:
            errors[path] = ["An action has a title and a url, and nothing else."]
            continue
        for name in ("title", "url"):
            _read_string(f"{path}.{name}", action[name], strings, errors)
            if action[name] == "":
                errors[f"{path}.{name}"] = ["It is empty."]


def shown(name: str) -> str:
    """Return a key that someone else chose, cut and in ASCII, fit for a message."""
    return name.encode("ascii", "backslashreplace").decode().replace("\0", "\\0")[:60]


class _RefusedError(Exception):
    """JSON that is well formed but not wanted."""


def _json_object(kind: ContentKind, body: str) -> dict[str, Any]:
    try:
        value = json.loads(body, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise _wrong(f"It is not JSON ({error.msg}, {place}); as in {_EXAMPLES[kind]}") from None
    except _RefusedError as error:
        raise _wrong(str(error)) from None
    except RecursionError:
        raise _wrong("The JSON is nested too deeply.") from None
    except ValueError:  # a whole number of thousands of digits
        raise _wrong("The JSON holds a number that is too long.") from None
    if not isinstance(value, dict):
        raise _wrong(f"It must be a JSON object, as in {_EXAMPLES[kind]}")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _RefusedError(f'The key "{shown(name)}" stands there twice.')
        found[name] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise _RefusedError(f"{name} is not JSON.")


def _wrong(message: str) -> ContentError:
    return ContentError({"body": [message]})
