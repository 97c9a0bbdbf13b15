"""Lists that page by key: the next page starts behind the last row shown, nothing is counted."""

from collections.abc import Iterable
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

AFTER, BEFORE = "after", "before"


class KeyedChangeList(ChangeList):
    """A list in the order of one text, unique in the tenant; ``key_field`` names it.

    The index over the tenant and that text serves each page, the millionth row as fast as the
    first. Subclasses name the field.
    """

    key_field = "pk"

    next_key: str = ""
    previous_key: str = ""

    def get_queryset(self, request: HttpRequest, *args: Any) -> QuerySet[Any]:
        found = super().get_queryset(request, *args)
        ordered: QuerySet[Any] = found.order_by(self.key_field)
        return ordered

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        found: dict[str, Any] = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name not in (AFTER, BEFORE)}

    def get_query_string(
        self, new_params: dict[str, Any] | None = None, remove: Iterable[str] | None = None
    ) -> str:
        """Links that filter or search start at the first page."""
        return super().get_query_string(new_params, [*(remove or []), AFTER, BEFORE])

    def get_results(self, request: HttpRequest) -> None:
        after = self.params.get(AFTER, "").replace("\0", "")
        before = self.params.get(BEFORE, "").replace("\0", "")
        rows: QuerySet[Any] = self.queryset
        size = self.list_per_page
        if before:
            rows = rows.filter(**{f"{self.key_field}__lt": before})
            found = list(rows.order_by(f"-{self.key_field}")[: size + 1])
            more_before, more_after = len(found) > size, True
            found = found[:size][::-1]
        else:
            if after:
                rows = rows.filter(**{f"{self.key_field}__gt": after})
            found = list(rows[: size + 1])
            more_before, more_after = bool(after), len(found) > size
            found = found[:size]
        self.result_list = found
        self.result_count = len(found)
        self.full_result_count = None
        self.show_admin_actions = True
        self.can_show_all = self.show_all = self.multi_page = False
        if found and more_after:
            self.next_key = getattr(found[-1], self.key_field)
        if found and more_before:
            self.previous_key = getattr(found[0], self.key_field)

    @property
    def next_url(self) -> str:
        return super().get_query_string({AFTER: self.next_key}, [BEFORE]) if self.next_key else ""

    @property
    def previous_url(self) -> str:
        if not self.previous_key:
            return ""
        return super().get_query_string({BEFORE: self.previous_key}, [AFTER])
