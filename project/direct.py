"""Running one statement as directly as each database's own library allows.

For what is called hundreds of times a second, where a cursor of Django's or psycopg's takes more
processor time than the call that it makes, and lets go of the interpreter several times for it.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import lru_cache
from itertools import count
from typing import Any

import psycopg
from django.db import (
    DEFAULT_DB_ALIAS,
    InterfaceError,
    NotSupportedError,
    OperationalError,
    connections,
)
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult

Row = tuple[Any, ...]


def run(sql: str, values: Sequence[Any], *, reads: bool = False) -> list[Row]:
    """Run one statement with ``%s`` for its values, and no other percent sign; return its rows.

    Where it only reads, and is the first of a request, it shows as well whether the connection
    still stands, and is run again on a new one: a question beforehand would cost as much.
    Raises the errors of `django.db`.
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
    at_once = _on_postgres if here.vendor == "postgresql" else _on_sqlite
    try:
        rows = _run(at_once, here, sql, values)
    except (OperationalError, InterfaceError):
        if not (unsure and reads) or here.in_atomic_block or here.is_usable():
            raise
        rows = _run_anew(at_once, here, sql, values)
    except NotSupportedError:
        # A migration has changed a column under the plan that the server keeps.
        if here.in_atomic_block:
            raise
        rows = _run_anew(at_once, here, sql, values)
    here.health_check_done = True
    return rows


_Runs = Callable[[Any, str, Sequence[Any]], list[Row]]


def _run(at_once: _Runs, here: Any, sql: str, values: Sequence[Any]) -> list[Row]:
    with here.wrap_database_errors:
        return at_once(here.connection, sql, values)


def _run_anew(at_once: _Runs, here: Any, sql: str, values: Sequence[Any]) -> list[Row]:
    here.close()
    here.ensure_connection()
    return _run(at_once, here, sql, values)


# --- SQLite -------------------------------------------------------------------------------------


def _on_sqlite(connection: Any, sql: str, values: Sequence[Any]) -> list[Row]:
    rows: list[Row] = connection.execute(_with_question_marks(sql), values).fetchall()
    return rows


@lru_cache(maxsize=200)
def _with_question_marks(sql: str) -> str:
    return sql.replace("%s", "?")


# --- PostgreSQL ---------------------------------------------------------------------------------


class _Session:
    """One connection outside a transaction, and what the server keeps for it, by its text.

    The values go there as text, and the server reads each as the type of its place, so that a
    statement is kept once, whatever the size of its numbers.
    """

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self.connection = connection
        self._server = connection.pgconn
        self._adapting = Transformer(connection)
        self._kept: dict[str, tuple[bytes, list[PyFormat]]] = {}

    def run(self, sql: str, values: Sequence[Any]) -> list[Row]:
        name, formats = self._kept.get(sql) or self._keep(sql)
        texts: Any = self._adapting.dump_sequence(values, formats)  # the stubs want no None
        result = self._server.exec_prepared(name, texts)
        self._check(result)
        self._adapting.set_pgresult(result)
        return self._adapting.load_rows(0, result.ntuples, tuple)

    def forget(self) -> None:
        self._kept.clear()

    def _keep(self, sql: str) -> tuple[bytes, list[PyFormat]]:
        first, *others = sql.split("%s")
        text = "".join([first, *(f"${at}{part}" for at, part in enumerate(others, start=1))])
        name = b"carillon_%d" % next(_numbers)
        self._check(self._server.prepare(name, text.encode()))
        self._kept[sql] = kept = name, [PyFormat.TEXT] * len(others)
        return kept

    def _check(self, result: PGresult) -> None:
        if result.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            return
        if self._server.status == ConnStatus.BAD:
            raise psycopg.OperationalError(result.get_error_message())
        raise psycopg.errors.error_from_result(result)


class _Here(threading.local):
    session: _Session | None = None


_here = _Here()
_numbers = count()


def _on_postgres(connection: Any, sql: str, values: Sequence[Any]) -> list[Row]:
    if not connection.autocommit:
        return _in_transaction(connection, sql, values)
    session = _here.session
    if session is None or session.connection is not connection:
        session = _here.session = _Session(connection)
    try:
        return session.run(sql, values)
    except psycopg.errors.InvalidSqlStatementName:
        # After a rollback psycopg lets the server forget all statements, not only its own.
        session.forget()
        return session.run(sql, values)


def _in_transaction(connection: Any, sql: str, values: Sequence[Any]) -> list[Row]:
    """Leave it to psycopg, which begins the transaction and knows what the server still keeps."""
    # Django leaves preparing off, which nothing said to a cursor overrules.
    usual, connection.prepare_threshold = connection.prepare_threshold, 0
    try:
        with closing(psycopg.Cursor(connection)) as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall()
    finally:
        connection.prepare_threshold = usual
