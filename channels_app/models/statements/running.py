"""Running a statement as directly as each database allows."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

Row = tuple[Any, ...]
Shape = tuple[tuple[str, str], ...]  # a table's columns, each with PostgreSQL's type
PREPARE_AFTER = 5  # times that a statement is run before the server is to keep it, if not asked to


@cache  # asked several times a round; a process has one database
def on_postgres() -> bool:
    return connection.vendor == "postgresql"


def run(
    sql: str,
    shape: Shape = (),
    rows: Sequence[Mapping[str, Any]] = (),
    **values: Any,
) -> list[Row]:
    """Run one statement and return its rows.

    ``{rows}`` in it stands for ``rows``, a table with the columns of ``shape``; ``{lock}`` for what
    passes over rows that others hold.
    """
    if shape:
        values["rows"] = _encode(rows)
    sql = _worded(sql, shape)
    if not on_postgres():
        return _on_sqlite(sql, values)
    connection.ensure_connection()
    raw: Any = connection.connection
    if raw.prepare_threshold is None:  # Django's own way; its cursors never prepare
        raw.prepare_threshold = PREPARE_AFTER
    # Django's own cursors put the values into the text, which the server then plans each time.
    # This one lets it keep the plan, and gets moments and JSON in binary.
    with (
        connection.wrap_database_errors,
        closing(psycopg.Cursor(raw)) as cursor,
    ):
        cursor.execute(sql, values, prepare=True, binary=True)
        return cursor.fetchall() if cursor.description else []


def run_each(sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run one statement once for each of ``rows``, for its effect: on SQLite only."""
    if not rows:  # of nothing, Django passes on the statement as it words none
        return
    here = connections[DEFAULT_DB_ALIAS]
    if _is_watched(here):
        with here.cursor() as cursor:
            cursor.executemany(sql, rows)
        return
    marked, values_of = _by_place(sql)
    with _ready(here) as raw:
        raw.executemany(marked, map(values_of, rows))


def _on_sqlite(sql: str, values: Mapping[str, Any]) -> list[Row]:
    """By the connection itself: Django's cursor takes longer than some of these statements."""
    here = connections[DEFAULT_DB_ALIAS]
    if _is_watched(here):
        with here.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall()) if cursor.description else []
    marked, values_of = _by_place(sql)
    with _ready(here) as raw:
        rows: list[Row] = raw.execute(marked, values_of(values)).fetchall()
    return rows


@contextmanager
def _ready(here: BaseDatabaseWrapper) -> Iterator[Any]:
    """SQLite's own connection, as Django's cursor would use it."""
    here.ensure_connection()
    here.validate_no_broken_transaction()  # what is to be rolled back takes no more
    with here.wrap_database_errors:
        yield here.connection


def _is_watched(here: BaseDatabaseWrapper) -> bool:
    """Whether somebody looks at each statement, which only Django's cursors show."""
    return here.queries_logged or bool(here.execute_wrappers)


@lru_cache(maxsize=100)
def _by_place(sql: str) -> tuple[str, Callable[[Mapping[str, Any]], tuple[Any, ...]]]:
    """Word a statement by question marks, and say which values they stand for.

    SQLite looks up each value by its name else, for each row.
    """
    names = _NAMED.findall(sql)
    first = itemgetter(*names)
    values_of = first if len(names) > 1 else lambda values: (first(values),)
    return _NAMED.sub("?", sql), values_of


_NAMED = re.compile(r"%\((\w+)\)s")


def together() -> AbstractContextManager[Any]:
    """What makes a deed's statements one: nothing where it is a single one."""
    return nullcontext() if on_postgres() else transaction.atomic(savepoint=False)


def moment(value: datetime) -> str:
    """Word a moment as both databases keep it: in UTC, without saying so."""
    text = (value if value.tzinfo is UTC else value.astimezone(UTC)).isoformat(" ")
    return text.removesuffix("+00:00")


def in_utc(value: datetime | str) -> datetime:
    """Read a moment: SQLite's come without a zone, PostgreSQL's connection speaks UTC."""
    return _read(value) if isinstance(value, str) else value.replace(tzinfo=UTC)


@lru_cache(maxsize=1000)
def _read(words: str) -> datetime:
    """Read one of SQLite's; kept, since what was made together is due together."""
    return datetime.fromisoformat(f"{words}+00:00")


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def shape_of(columns: Mapping[str, str]) -> Shape:
    return tuple(columns.items())


@lru_cache(maxsize=100)
def _worded(sql: str, shape: Shape) -> str:
    """Put in what the two databases say differently; kept, since it takes as long as some run."""
    if shape:
        sql = sql.replace("{rows}", _recordset(shape) if on_postgres() else _from_json(shape))
    return sql.replace("{lock}", "FOR NO KEY UPDATE OF d SKIP LOCKED" if on_postgres() else "")


def _recordset(shape: Shape) -> str:
    columns = ", ".join(f"{name} {kind}" for name, kind in shape)
    return f"(SELECT * FROM json_to_recordset(%(rows)s::json) AS r({columns}))"


def _from_json(shape: Shape) -> str:
    columns = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name, _ in shape)
    return f"(SELECT {columns} FROM json_each(%(rows)s))"
