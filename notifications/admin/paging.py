"""Lists that page by key: the next page starts behind the last row shown, nothing is counted."""

from collections.abc import Iterable
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest

AFTER, BEFORE = "after", "before"


class KeyedChangeList(ChangeList):
    """A list in the order of one unique text, in small letters; ``key_field`` names it.

    The index over the tenant and that text serves each page, the millionth row as fast as the
    first. Subclasses name the field.
    """

    key_field = "pk"

    next_key: str = ""
    previous_key: str = ""

    def get_queryset(self, request: HttpRequest, *args: Any) -> QuerySet[Any]:
        found = super().get_queryset(request, *args).annotate(_key=Lower(self.key_field))
        ordered: QuerySet[Any] = found.order_by("_key")
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
            found = list(rows.filter(_key__lt=before).order_by("-_key")[: size + 1])
            more_before, more_after = len(found) > size, True
            found = found[:size][::-1]
        else:
            found = list((rows.filter(_key__gt=after) if after else rows)[: size + 1])
            more_before, more_after = bool(after), len(found) > size
            found = found[:size]
        self.result_list = found
        self.result_count = len(found)
        self.full_result_count = None
        self.show_admin_actions = True
        self.can_show_all = self.show_all = self.multi_page = False
        if found and more_after:
            self.next_key = found[-1]._key
        if found and more_before:
            self.previous_key = found[0]._key

    @property
    def next_url(self) -> str:
        return super().get_query_string({AFTER: self.next_key}, [BEFORE]) if self.next_key else ""

    @property
    def previous_url(self) -> str:
        if not self.previous_key:
            return ""
        return super().get_query_string({BEFORE: self.previous_key}, [AFTER])
