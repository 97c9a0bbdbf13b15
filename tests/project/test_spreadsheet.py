"""Text on its way into a spreadsheet and back."""

from hypothesis import given
from hypothesis import strategies as st

from project.spreadsheet import protect, unprotect

SIGNS = tuple("=+-@＝＋－＠\t\r\n")  # noqa: RUF001 (the full-width ones are meant)


@given(st.text(max_size=12) | st.from_regex(r"'*[=+\-@＝＋－＠\t\r\n].*", fullmatch=True))  # noqa: RUF001
def test_a_protected_text_begins_no_formula_and_comes_back_as_it_was(text):
    assert unprotect(protect(text)) == text
    assert not protect(text).startswith(SIGNS)
