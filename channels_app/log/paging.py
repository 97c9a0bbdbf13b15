"""Rows read by key: no page costs more for lying deep, and nothing is counted.

Made for the delivery log; the list of sessions is read in the same way.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Literal, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import CharField, F, Model, QuerySet, Value
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from django.db.models.functions import Concat

M = TypeVar("M", bound=Model)
Rows = TypeVar("Rows", bound=QuerySet[Any])

BIGINT_MAX = 2**63 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MOMENT = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)

_PLACE = re.compile(r"(older|newer)\.(-?[0-9]{1,19})\.([0-9]{1,19})")

Key = tuple[datetime | int, int]


@dataclass(frozen=True, slots=True)
class Order:
    """A field, then the id: the columns with which the index that serves the reading ends."""

    field: Literal["created_at", "recipient_id"]

    def key(self, row: Model) -> Key:
        return getattr(row, self.field), row.pk

    def numbers(self, key: Key) -> str:
        """Write a key as two numbers; a moment as microseconds since 1970."""
        first, pk = key
        if isinstance(first, datetime):
            first = (first - EPOCH) // timedelta(microseconds=1)
        return f"{first}.{pk}"

    def read(self, first: int, pk: int) -> Key:
        """Read two numbers; what is out of range lies at the end that it points to."""
        if self.field == "created_at":
            within = max(0, min(first, LAST_MOMENT))
            return EPOCH + timedelta(microseconds=within), min(pk, BIGINT_MAX)
        return min(first, BIGINT_MAX), min(pk, BIGINT_MAX)


NEWEST_FIRST = Order("created_at")
# Inside one notification: its people were taken by their id, so this is newest first as well, and
# the constraint delivery_once holds the rows in this order.
BY_PERSON = Order("recipient_id")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page lies: at one end of the log, or beside the row with a key."""

    kind: Literal["newest", "oldest", "older", "newer"]
    first: int = 0
    pk: int = 0


NEWEST, OLDEST = Place("newest"), Place("oldest")


class PlaceField(forms.CharField):
    """Reads a `Place` as `Page` writes it."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        if text == "oldest":
            return OLDEST
        if not (found := _PLACE.fullmatch(text)):
            raise ValidationError("This page's link is damaged; here is the newest page.")
        kind: Literal["older", "newer"] = "older" if found[1] == "older" else "newer"
        return Place(kind, int(found[2]), int(found[3]))


@dataclass(frozen=True)
class Page(Generic[M]):
    """Some rows, newest first, and the links beside them; an empty link leads nowhere."""

    rows: list[M]
    newer: str = ""
    older: str = ""


def row_by_row(rows: Rows, field: str, wanted: Iterable[Any]) -> Rows:
    """Keep the rows whose ``field`` is ``wanted``, without finding them by an index for it.

    SQLite does not know how many rows have a value: of two indexes that could serve it takes any,
    and may walk a tenant's whole log. Written as an expression, a condition leaves it the other.
    PostgreSQL has counted and chooses by itself; what it can't see through it estimates badly.
    """
    if connection.vendor != "sqlite":
        return rows.filter(**{f"{field}__in": list(wanted)})
    is_text = isinstance(rows.model._meta.get_field(field), CharField)
    hidden = Concat(field, Value("")) if is_text else F(field) + 0
    hiding = rows.alias(**{f"plain_{field}": hidden})
    narrowed: Rows = hiding.filter(**{f"plain_{field}__in": list(wanted)})
    return narrowed


@dataclass(frozen=True)
class Listing(Generic[M]):
    """Rows of one model in the log's order. ``states``: those wanted, none for all.

    ``parts`` have no row in common; each is read by an index of its own, what they give is merged.
    ``by_state``: the index that serves the reading has the state before the time, so each state
    is asked for by itself. Without it, rows are taken in order and those of other states left out.
    ``few``: all that match are to be looked up and sorted, as they are too few to be met soon on
    a walk in order.
    ``related``: what each row points at and is to be read as well, each kind in one query.
    """

    parts: Sequence[QuerySet[M]]
    states: tuple[str, ...] = ()
    order: Order = NEWEST_FIRST
    few: bool = False
    by_state: bool = True
    related: tuple[str, ...] = ("channel",)

    def page(self, place: Place, size: int) -> Page[M]:
        key = self.order.read(place.first, place.pk)
        match place.kind:
            case "newest":
                found = self.take(size + 1)
                return self._page(found[:size], more=len(found) > size, newest=True)
            case "older":
                found = self.take(size + 1, beside=key)
                return self._page(found[:size], more=len(found) > size, newest=not found)
            case "newer":
                found = self.take(size + 1, beside=key, upwards=True)
                if len(found) <= size:  # the top: fill the page instead of showing a rest
                    return self.page(NEWEST, size)
                return self._page(found[size - 1 :: -1], more=True, newest=False)
            case "oldest":
                found = self.take(size + 1, upwards=True)
                return self._page(found[:size][::-1], more=False, newest=len(found) <= size)

    def walk(self, size: int) -> Iterator[list[M]]:
        """All of it, newest first, ``size`` rows at a time; each is a query of its own."""
        key = None
        while rows := self.take(size, beside=key):
            yield rows
            key = self.order.key(rows[-1])

    def take(self, number: int, *, beside: Key | None = None, upwards: bool = False) -> list[M]:
        """The next rows below ``beside``, or above it; from the end of the log without it.

        What is related is looked up apart: rows share the few there are instead of each making its
        own.
        """
        sign = "" if upwards else "-"
        in_order = f"{sign}{self.order.field}", f"{sign}pk"

        def nearest(rows: QuerySet[M]) -> QuerySet[M]:
            if beside is not None:
                beyond = TupleGreaterThan if upwards else TupleLessThan
                bound = f"{self.order.field}__{'gte' if upwards else 'lte'}"
                # The bound says nothing new; SQLite, for which Django spells the pair out, finds
                # its place in the index by it.
                rows = rows.filter(
                    beyond(Tuple(F(self.order.field), F("pk")), beside), **{bound: beside[0]}
                )
            return rows.order_by(*in_order)

        parts = list(self._parts())
        every = parts[0].model._default_manager
        if len(parts) == 1:
            found = nearest(parts[0])
            if self.few:  # an expression hides the order from the index that would be walked
                by = F(self.order.field) + 0
                found = found.order_by(by.asc() if upwards else by.desc(), in_order[1])
            return list(found.prefetch_related(*self.related)[:number])
        # The nearest of each, by its index. Asked for at once, the database would walk all rows
        # between the few that match.
        each = [
            every.filter(pk__in=nearest(rows).values("pk")[:number]).order_by().values("pk")
            for rows in parts
        ]
        # They are merged as keys, so that messages are read, and held while they are put in order,
        # of those alone that are wanted.
        merged = every.filter(pk__in=each[0].union(*each[1:], all=True))
        keys = merged.order_by(*in_order).values("pk")[:number]
        found = every.filter(pk__in=keys).order_by(*in_order)
        return list(found.prefetch_related(*self.related))

    def _parts(self) -> Iterator[QuerySet[M]]:
        """What one index each serves."""
        for rows in self.parts:
            if not self.states:
                yield rows
            elif self.by_state:
                yield from (rows.filter(state=state) for state in self.states)
            else:
                yield row_by_row(rows, "state", self.states)

    def _page(self, rows: list[M], *, more: bool, newest: bool) -> Page[M]:
        return Page(
            rows=rows,
            newer="" if newest else self._link("newer", rows[:1]),
            older=self._link("older", rows[-1:]) if more else "",
        )

    def _link(self, kind: str, row: list[M]) -> str:
        return f"{kind}.{self.order.numbers(self.order.key(row[0]))}" if row else ""
