"""Queries worded once and run often: for routes that are called hundreds of times a second.

The ORM would spend more time on wording them than the database on carrying them out. A look is
still written as a query of the ORM; what it comes to is kept and run with other values, and
PostgreSQL keeps its plan of it as well.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model, QuerySet
from django.db.models.base import ModelState

from project.direct import Row, run

M = TypeVar("M", bound=Model)
N = TypeVar("N", bound=Model)
Value = str | int | Sequence[str]


class Look(Generic[M]):
    """A query for rows of one model; ``build`` words it for the values that differ.

    These are texts, whole numbers and lists of texts (worded anew for each length), and ``build``
    must hand each to the database unchanged. ``select_related`` and annotations may be used.
    """

    def __init__(self, build: Callable[..., "QuerySet[M]"]) -> None:
        self._build = build
        self._here = threading.local()

    def all(self, *values: Value) -> list[M]:
        worded = self.worded(values)
        if worded is None:
            return []
        return worded.read(run(worded.sql, worded.parameters(values), reads=True))

    def first(self, *values: Value) -> M | None:
        """Return the first row; ``build`` sees to it that there are not many."""
        return next(iter(self.all(*values)), None)

    def worded(self, values: Sequence[Value]) -> "_Worded[M] | None":
        """Return the statement; None where one of the values is a list of nothing.

        The ORM words no query for that, as no row can be found.
        """
        if any(not value and not isinstance(value, str | int) for value in values):
            return None
        shape = tuple([0 if isinstance(value, str | int) else len(value) for value in values])
        known: dict[Any, _Worded[M]] = self._here.__dict__
        worded = known.get(shape)
        if worded is None or worded.connection is not connections[DEFAULT_DB_ALIAS]:
            worded = known[shape] = _Worded(self._build, values)
        return worded


def look_at_both(
    one: Look[M], values: Sequence[Value], other: Look[N], more: Sequence[Value]
) -> tuple[list[M], list[N]]:
    """Return what ``one.all(*values)`` and ``other.all(*more)`` find, each in any order.

    On PostgreSQL both are one statement: a second way there and back costs as much as the look.
    """
    if connections[DEFAULT_DB_ALIAS].vendor != "postgresql":
        return one.all(*values), other.all(*more)
    first, second = one.worded(values), other.worded(more)
    if first is None or second is None:
        return one.all(*values), other.all(*more)
    sql = _side_by_side(first.sql, second.sql)
    rows = run(sql, [*first.parameters(values), *second.parameters(more)], reads=True)
    edge = first.width
    return (
        first.read([row[:edge] for row in rows if row[first.key] is not None]),
        second.read([row[edge:] for row in rows if row[edge + second.key] is not None]),
    )


@lru_cache(maxsize=200)
def _side_by_side(one: str, other: str) -> str:
    """Word the rows of both: each has the columns of one query, and NULL in those of the other."""
    return f"SELECT * FROM ({one}) AS one FULL JOIN ({other}) AS other ON FALSE"  # noqa: S608


class _Worded(Generic[M]):
    """A query's text, where its values go, and how its rows become objects; for one thread."""

    def __init__(self, build: Callable[..., "QuerySet[M]"], values: Sequence[Value]) -> None:
        self.connection = connections[DEFAULT_DB_ALIAS]
        marks = [_mark(number, value) for number, value in enumerate(values)]
        compiler = build(*marks).query.get_compiler(connection=self.connection)
        self.sql, worded = compiler.as_sql()
        places = {mark: place for place, mark in enumerate(_flat(marks))}
        # A place stands for the value that goes there, None for a value of the query's own.
        self._places = [(places.get(value), value) for value in worded]
        columns = [each for each, *_ in compiler.select[: compiler.col_count]]
        self._compiler = compiler
        self._converters = compiler.get_converters(columns)
        self._part = _Part[M](compiler.klass_info, compiler.select)
        self.width = len(compiler.select)
        self.key = self._part.key
        self._annotations = list((compiler.annotation_col_map or {}).items())

    def parameters(self, values: Sequence[Value]) -> list[Any]:
        given = _flat(values)
        return [own if at is None else given[at] for at, own in self._places]

    def read(self, rows: list[Row]) -> list[M]:
        """Make objects of the rows that the statement found."""
        if self._converters:
            rows = list(map(tuple, self._compiler.apply_converters(rows, self._converters)))
        found = [self._part.object(row) for row in rows]
        for name, column in self._annotations:
            for each, row in zip(found, rows, strict=True):
                setattr(each, name, row[column])
        return found


class _Part(Generic[M]):
    """The columns of a row that are one object's, and the parts that are its relations'."""

    def __init__(self, info: Mapping[str, Any], select: Sequence[Any]) -> None:
        """``info`` is the compiler's own."""
        self._model: type[M] = info["model"]
        places = info["select_fields"]
        self._from, self._to = places[0], places[-1] + 1
        self._names = [select[place][0].target.attname for place in places]
        self.key = places[self._names.index(self._model._meta.pk.attname)]
        self._related = [
            (_Part[Any](each, select), each["local_setter"], each["remote_setter"])
            for each in info.get("related_klass_infos", ())
        ]

    def object(self, row: Row) -> M:
        """Do what `Model.from_db` does, without the signals, which nothing here listens to.

        A column that was not asked for is fetched when it is read, as it is there.
        """
        made = self._model.__new__(self._model)
        made._state = ModelState()
        made._state.adding, made._state.db = False, DEFAULT_DB_ALIAS
        made.__dict__.update(zip(self._names, row[self._from : self._to], strict=True))
        for part, link, link_back in self._related:
            other = None if row[part.key] is None else part.object(row)
            link(made, other)
            if other is not None:
                link_back(other, made)
        return made


def _mark(number: int, value: Value) -> Value:
    """Return a value that stands in no query by chance."""
    if isinstance(value, int):
        return 2_000_000_000 + number
    if isinstance(value, str):
        return f"mark:{number}"
    return [f"mark:{number}:{each}" for each in range(len(value))]


def _flat(values: Sequence[Value]) -> list[str | int]:
    flat: list[str | int] = []
    for value in values:
        if isinstance(value, str | int):
            flat.append(value)
        else:
            flat.extend(value)
    return flat
