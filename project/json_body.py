"""JSON that strangers send, read strictly: what two parsers could read in two ways is refused."""

import json
from collections.abc import Mapping
from email.message import Message
from typing import IO, Any, NoReturn

from django.conf import settings
from django.http import UnreadablePostError
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

DEPTH_MAX = 32  # arrays and objects within each other


class ContentTooLarge(APIException):
    status_code = 413
    default_code = "content_too_large"


class LengthRequired(APIException):
    status_code = 411
    default_code = "length_required"
    default_detail = "Send a Content-Length; a body in chunks is not read."


class StrictJSONParser(BaseParser):
    """``application/json`` in UTF-8, or no Content-Type at all.

    Raises ParseError, UnsupportedMediaType, ContentTooLarge.
    """

    media_type = "*/*"  # chosen for every type, so that each refusal is worded here

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        _check_type(media_type or "")
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
        # The declared length first: nothing of a body that is too long is read.
        declared = parser_context["request"].META.get("CONTENT_LENGTH") if parser_context else ""
        try:
            body = b"" if int(declared or 0) > limit else stream.read(limit + 1)
        except UnreadablePostError as error:
            raise ParseError("The body broke off.") from error
        if int(declared or 0) > limit or len(body) > limit:
            raise ContentTooLarge(f"The body may have {limit:,} bytes.")
        try:
            return loads(body.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise ParseError("The body is not UTF-8.") from error
        except ValueError as error:
            raise ParseError(f"The body can't be read: {error}") from error


def data_of(request: Request) -> Any:
    """Return the parsed body; an absent one reads as an empty object.

    Raises what `StrictJSONParser` raises, and LengthRequired.
    """
    if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
        raise LengthRequired  # Django would take it for an empty body
    return request.data


def _check_type(content_type: str) -> None:
    if content_type in {"", "application/json"}:
        return
    header = Message()
    header["Content-Type"] = content_type
    charset = str(header.get_param("charset", "utf-8")).lower()
    if header.get_content_type() != "application/json" or charset not in {"utf-8", "utf8"}:
        raise UnsupportedMediaType(
            content_type, "Send the body as application/json, encoded in UTF-8."
        )


def loads(text: str) -> Any:
    """Read JSON; raises ValueError with a sentence for the one who wrote it.

    Refused are keys that stand twice, NaN and Infinity, NUL and half characters (no database
    stores them), numbers of thousands of digits, and nesting beyond ``DEPTH_MAX``.
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"it is not JSON ({error.msg}, {place}).") from None
    except RecursionError:
        raise ValueError("it is nested too deeply.") from None
    except _Refused:
        raise
    except ValueError:  # int() refuses more than sys.get_int_max_str_digits()
        raise ValueError("it holds a number that is too long.") from None
    _check_strings(value)
    return value


class _Refused(ValueError):
    """Well formed, but not wanted."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Refused(f"the key {json.dumps(name[:60])} stands there twice.")
        found[name] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is not JSON.")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in {float("inf"), float("-inf")}:  # 1e999: it could be read, but not kept as JSON
        raise _Refused(f"the number {digits[:60]} is too large.")
    return number


def _check_strings(value: Any) -> None:
    """Look at all that is nested in ``value``, level by level."""
    level = [value]
    for _ in range(DEPTH_MAX + 1):
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                _check_string(item)
            elif isinstance(item, list):
                below += item
            elif isinstance(item, dict):
                below += item.keys()
                below += item.values()
        if not below:
            return
        level = below
    raise ValueError("it is nested too deeply.")


def _check_string(text: str) -> None:
    if "\0" in text:
        raise ValueError("it holds a NUL character.")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("it holds half of a character (a lone surrogate).") from None
