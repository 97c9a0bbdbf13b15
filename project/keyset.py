"""A change list that is read newest first and paged by key."""

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.http import HttpRequest

BEFORE = "before"  # the query parameter: rows below this key
LARGEST_KEY = 2**63 - 1
KEY_DIGITS = len(str(LARGEST_KEY))


class KeysetChangeList(ChangeList):
    """Counts nothing: a page costs its own rows, however long the table is.

    Its template links `older` and `newest` in place of numbered pages.
    """

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        asked = request.GET.get(BEFORE, "")
        # Measured first: int() raises ValueError for thousands of digits.
        is_key = asked.isdecimal() and len(asked) <= KEY_DIGITS
        self.before = min(int(asked), LARGEST_KEY) if is_key else None
        # Taken out, so that neither filters nor their links carry it along.
        given = request.GET.copy()
        given.pop(BEFORE, None)
        request.GET = given  # type: ignore[assignment]
        super().__init__(request, *args, **kwargs)

    def get_ordering(self, request: HttpRequest, queryset: Any) -> list[Any]:
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        rows = self.queryset if self.before is None else self.queryset.filter(pk__lt=self.before)
        found = list(rows[: self.list_per_page + 1])
        self.result_list = found[: self.list_per_page]
        self.has_older = len(found) > self.list_per_page
        self.result_count = len(self.result_list)
        self.full_result_count = None
        self.show_full_result_count = False
        self.show_admin_actions = False
        self.can_show_all = False
        self.multi_page = False
        self.paginator = Paginator(self.result_list, self.list_per_page)

    @property
    def older(self) -> str:
        """The link to the next page, or nothing at the end."""
        if not self.has_older:
            return ""
        last: Any = list(self.result_list)[-1]
        return str(self.get_query_string({BEFORE: last.pk}))

    @property
    def newest(self) -> str:
        """The link back to the first page, or nothing on it."""
        return str(self.get_query_string()) if self.before is not None else ""
