"""Django's SQLite backend, with writers that take turns.

SQLite has one writer. Whoever finds it taken sleeps, first for a millisecond, then for up to a
tenth of a second, and looks again: two processes that write all the time spend most of it asleep.
Here each writer first takes a lock on a file beside the database, and looks at that far more often.
SQLite's own locks stay what keeps the data whole: this only says whose turn it is.
"""

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.db.backends.sqlite3 import base, features

LOOK = 0.0005  # seconds between two looks at the lock
_WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|REPLACE|CREATE|ALTER|DROP)\b", re.IGNORECASE)


class Turn:
    """One connection's hold on the lock; the system lets go of it when the process dies."""

    def __init__(self, database: Path, patience: float) -> None:
        """``patience`` in seconds. Raises OSError where there can be no such file."""
        self._patience = patience
        self._held = False
        owner = database.stat()
        # Open to whoever may open the database, also where root was the first to come by.
        self._file = os.open(f"{database}-turn", os.O_RDONLY | os.O_CREAT, owner.st_mode & 0o666)
        if os.geteuid() == 0:
            os.fchown(self._file, owner.st_uid, owner.st_gid)

    def take(self) -> None:
        """Wait for the turn; out of patience, go on without it: SQLite will say why not."""
        ends = time.monotonic() + self._patience
        while not self._held and time.monotonic() < ends:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._held = True
            except BlockingIOError:
                time.sleep(LOOK)
            except OSError:  # a file system without locks
                return

    def give_back(self) -> None:
        if self._held:
            fcntl.flock(self._file, fcntl.LOCK_UN)
            self._held = False

    def close(self) -> None:
        os.close(self._file)
        self._held = False


class Cursor(base.SQLiteCursorWrapper):
    """Takes the turn for a statement that writes by itself, outside of a transaction."""

    turn: Turn | None = None

    def execute(self, query: str, params: Any = None) -> Any:
        with self._turn_for(query):
            return super().execute(query, params)

    def executemany(self, query: str, param_list: Any) -> Any:
        with self._turn_for(query):
            return super().executemany(query, param_list)

    @contextmanager
    def _turn_for(self, query: str) -> Iterator[None]:
        alone = self.turn is not None and not self.connection.in_transaction
        if self.turn is None or not alone or not _WRITES.match(query):
            yield
            return
        self.turn.take()
        try:
            yield
        finally:
            self.turn.give_back()


class DatabaseFeatures(features.DatabaseFeatures):
    minimum_database_version = (3, 35)  # UPDATE … FROM, and RETURNING


class DatabaseWrapper(base.DatabaseWrapper):
    features_class = DatabaseFeatures
    _turn: Turn | None = None

    def get_new_connection(self, conn_params: Any) -> Any:
        connection = super().get_new_connection(conn_params)
        if not self.is_in_memory_db():
            with suppress(OSError):  # a folder that can't be written to, or a URI: without turns
                self._turn = Turn(Path(conn_params["database"]), conn_params["timeout"])
        return connection

    def get_connection_params(self) -> dict[str, Any]:
        """Halve the time that a writer waits: half for its turn, half for SQLite."""
        given: dict[str, Any] = super().get_connection_params()
        return {**given, "timeout": given.get("timeout", 5.0) / 2}

    def create_cursor(self, name: Any = None) -> Any:
        cursor = self.connection.cursor(factory=Cursor)
        cursor.turn = self._turn
        return cursor

    def _start_transaction_under_autocommit(self) -> None:
        if self._turn is not None:
            self._turn.take()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc] # not in the stubs
        finally:
            self._give_turn_back()

    def _commit(self) -> None:
        try:
            super()._commit()  # type: ignore[misc] # not in the stubs
        finally:
            self._give_turn_back()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc] # not in the stubs
        finally:
            self._give_turn_back()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc] # not in the stubs
        finally:
            if self._turn is not None:
                self._turn.close()
                self._turn = None

    def _give_turn_back(self) -> None:
        """Let others write, unless a transaction is open: a commit may have been refused."""
        open_still = self.connection is not None and self.connection.in_transaction
        if self._turn is not None and not open_still:
            self._turn.give_back()
