"""What the first page of the console says: each floor adds what it knows.

A floor registers a function at its start; this one knows none of them.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from django.http import HttpRequest

from project.access.models import Tenant

# Returns what this person may see, by the names that templates/admin/index.html reads. Its queries
# are bounded: the page is everybody's first.
Part: TypeAlias = Callable[[Tenant, HttpRequest], Mapping[str, Any]]

_parts: list[Part] = []


def shown_first(part: Part) -> Part:
    """Add what ``part`` returns to the first page."""
    _parts.append(part)
    return part


def overview(tenant: Tenant, request: HttpRequest) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in _parts:
        found |= part(tenant, request)
    return found
