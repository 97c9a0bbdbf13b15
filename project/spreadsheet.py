"""Text for a spreadsheet file that no spreadsheet program takes for a formula.

A program that opens a CSV file runs a cell that begins with ``= + - @``, also in their full-width
forms, or with one of these behind a tab or a line break (OWASP, "CSV Injection"). Such a text
leaves with an apostrophe before it and comes back without. One that has apostrophes of its own
before such a sign gets one more, so that what leaves always comes back as it was.
"""

import re

_SIGNS = "[=+\\-@＝＋－＠\t\r\n]"  # noqa: RUF001 (the full-width ones are meant)
_DANGEROUS = re.compile(f"'*{_SIGNS}")
_PROTECTED = re.compile(f"'+{_SIGNS}")


def protect(text: str) -> str:
    return f"'{text}" if _DANGEROUS.match(text) else text


def unprotect(text: str) -> str:
    return text[1:] if _PROTECTED.match(text) else text
