"""Statements worded once and run often: for routes that are called hundreds of times a second.

The ORM would spend more time on wording them than the database on carrying them out. A look is
still written as a query of the ORM; what it comes to is kept and run with other values, and
PostgreSQL keeps its plan of it as well.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from functools import cache, lru_cache
from typing import Any, Generic, TypeVar

import psycopg
from django.db import (
    DEFAULT_DB_ALIAS,
    InterfaceError,
    NotSupportedError,
    OperationalError,
    connections,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model, QuerySet
from django.db.models.base import ModelState

M = TypeVar("M", bound=Model)
Value = str | int | Sequence[str]
Row = tuple[Any, ...]


class Look(Generic[M]):
    """A query for rows of one model; ``build`` words it for the values that differ.

    These are texts, whole numbers and lists of texts (worded anew for each length), and ``build``
    must hand each to the database unchanged. ``select_related`` and annotations may be used.
    """

    def __init__(self, build: Callable[..., "QuerySet[M]"]) -> None:
        self._build = build
        self._here = threading.local()

    def all(self, *values: Value) -> list[M]:
        if any(not value and not isinstance(value, str | int) for value in values):
            return []  # the ORM words no query for one of nothing
        shape = tuple([0 if isinstance(value, str | int) else len(value) for value in values])
        known: dict[Any, _Worded[M]] = self._here.__dict__
        worded = known.get(shape)
        if worded is None or worded.connection is not connections[DEFAULT_DB_ALIAS]:
            worded = known[shape] = _Worded(self._build, values)
        return worded.run(values)

    def first(self, *values: Value) -> M | None:
        """Return the first row; ``build`` sees to it that there are not many."""
        return next(iter(self.all(*values)), None)


class _Worded(Generic[M]):
    """A query's text, where its values go, and how its rows become objects; for one thread."""

    def __init__(self, build: Callable[..., "QuerySet[M]"], values: Sequence[Value]) -> None:
        self.connection = connections[DEFAULT_DB_ALIAS]
        marks = [_mark(number, value) for number, value in enumerate(values)]
        compiler = build(*marks).query.get_compiler(connection=self.connection)
        self._sql, worded = compiler.as_sql()
        places = {mark: place for place, mark in enumerate(_flat(marks))}
        # A place stands for the value that goes there, None for a value of the query's own.
        self._places = [(places.get(value), value) for value in worded]
        columns = [each for each, *_ in compiler.select[: compiler.col_count]]
        self._compiler = compiler
        self._converters = compiler.get_converters(columns)
        self._part = _Part[M](compiler.klass_info, compiler.select)
        self._annotations = list((compiler.annotation_col_map or {}).items())

    def run(self, values: Sequence[Value]) -> list[M]:
        given = _flat(values)
        parameters = [own if at is None else given[at] for at, own in self._places]
        rows = run(self._sql, parameters, reads=True)
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
        self._key = places[self._names.index(self._model._meta.pk.attname)]
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
            other = None if row[part._key] is None else part.object(row)
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


# --- storing ------------------------------------------------------------------------------------


def store_together(row: Model, note: Model, *, link: str) -> None:
    """Insert ``row``, and ``note`` with the row's key in its field ``link``: both or neither.

    As `Model.save` would, but without its signals; PostgreSQL takes both in one statement.
    """
    here = connections[DEFAULT_DB_ALIAS]
    first, second = _insert(type(row)), _insert(type(note))
    values, more = first.values(row, here), second.values(note, here, without=link)
    if here.vendor == "postgresql":
        ((row.pk, note.pk),) = run(_both(first, second, link), [*values, *more])
    else:
        with nullcontext() if here.in_atomic_block else transaction.atomic():
            ((row.pk,),) = run(f"{first.sql} RETURNING id", values)
            ((note.pk,),) = run(_linked(second, link), more)
    setattr(note, link, str(row.pk))
    for stored in (row, note):
        stored._state.adding, stored._state.db = False, DEFAULT_DB_ALIAS


@cache
def _both(first: "_Insert", second: "_Insert", link: str) -> str:
    noting = second.worded({link: "(SELECT CAST(id AS text) FROM stored)"})
    storing = f"WITH stored AS ({first.sql} RETURNING id), noted AS ({noting} RETURNING id)"
    return f"{storing} SELECT stored.id, noted.id FROM stored, noted"  # noqa: S608


@cache
def _linked(second: "_Insert", link: str) -> str:
    return second.worded({link: "CAST(last_insert_rowid() AS text)"}) + " RETURNING id"


class _Insert:
    """How a new row of a model is worded."""

    def __init__(self, model: type[Model]) -> None:
        self.table = model._meta.db_table
        self.fields = [each for each in model._meta.local_concrete_fields if not each.primary_key]
        self.as_is = [each.get_internal_type() in _AS_IS for each in self.fields]
        # Fields that are stored as the row has them, without a moment of the database's own.
        self.plain = [type(each).pre_save is Field.pre_save for each in self.fields]
        self.sql = self.worded({})

    def worded(self, instead: Mapping[str, str]) -> str:
        """``instead`` gives a field's value as SQL."""
        columns = ", ".join(f'"{field.column}"' for field in self.fields)
        values = ", ".join(instead.get(field.attname, "%s") for field in self.fields)
        return f'INSERT INTO "{self.table}" ({columns}) VALUES ({values})'  # noqa: S608 - the model's

    def values(self, row: Model, here: BaseDatabaseWrapper, *, without: str = "") -> list[Any]:
        values, held = [], row.__dict__
        for field, as_is, plain in zip(self.fields, self.as_is, self.plain, strict=True):
            if field.attname == without:
                continue
            value = held[field.attname] if plain else field.pre_save(row, add=True)
            if value is not None and not (as_is and type(value) in (str, int, bool)):
                value = field.get_db_prep_save(value, here)
            values.append(value)
        return values


# Kinds of fields whose texts and numbers the database takes as they stand.
_AS_IS = {
    *("BigIntegerField", "BooleanField", "CharField", "ForeignKey", "IntegerField"),
    *("PositiveIntegerField", "PositiveSmallIntegerField", "TextField"),
}
_insert = cache(_Insert)


# --- running ------------------------------------------------------------------------------------


def run(sql: str, values: Sequence[Any], *, reads: bool = False) -> list[Row]:
    """Run one statement with ``%s`` for its values; return its rows.

    Where it only reads, and is the first of a request, it shows as well whether the connection
    still stands, and is run again on a new one: a question beforehand would cost as much.
    """
    here: Any = connections[DEFAULT_DB_ALIAS]  # its health checks are not in the stubs
    if here.queries_logged or here.execute_wrappers:
        with here.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())
    unsure = here.health_check_enabled and not here.health_check_done
    if unsure and not reads:
        here.close_if_health_check_failed()
    here.ensure_connection()
    try:
        rows = _run(here, sql, values)
    except (OperationalError, InterfaceError):
        if not (unsure and reads) or here.in_atomic_block or here.is_usable():
            raise
        here.close()
        here.ensure_connection()
        rows = _run(here, sql, values)
    except NotSupportedError:
        # A migration has changed a column under the plan that the server keeps.
        if here.in_atomic_block:
            raise
        here.close()
        here.ensure_connection()
        rows = _run(here, sql, values)
    here.health_check_done = True
    return rows


def _run(here: BaseDatabaseWrapper, sql: str, values: Sequence[Any]) -> list[Row]:
    with here.wrap_database_errors:
        if here.vendor != "postgresql":
            rows: list[Row] = here.connection.execute(_with_question_marks(sql), values).fetchall()
            return rows
        # Django's own cursors put the values into the text, which the server then plans each time.
        # They leave preparing off as well, which nothing said to a cursor overrules.
        connection = here.connection
        usual, connection.prepare_threshold = connection.prepare_threshold, 0
        try:
            with closing(psycopg.Cursor(connection)) as direct:
                direct.execute(sql, values)
                return direct.fetchall()
        finally:
            connection.prepare_threshold = usual


@lru_cache(maxsize=200)
def _with_question_marks(sql: str) -> str:
    """Word a statement's places as SQLite does; they are all that has a percent sign."""
    return sql.replace("%s", "?")
