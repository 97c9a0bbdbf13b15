import sqlite3
from collections.abc import Sequence
from types import TracebackType
from typing import Self

_MANY = 500  # a statement's parameters


class Seen:
    """Which logins a file has named so far, and where. Kept on disk: a file may be endless."""

    def __init__(self) -> None:
        # A database without a name is a temporary file that goes when it is closed.
        self._rows = sqlite3.connect("", isolation_level=None)
        self._rows.execute("PRAGMA journal_mode=OFF")
        self._rows.execute("CREATE TABLE seen (key TEXT PRIMARY KEY, line INT) WITHOUT ROWID")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._rows.close()

    def note(self, found: Sequence[tuple[str, int]]) -> dict[int, int]:
        """Take (key, line) in; return the lines whose key stood in the file before, and where."""
        first: dict[str, int] = {}
        for start in range(0, len(found), _MANY):
            keys = [key for key, _ in found[start : start + _MANY]]
            marks = ",".join("?" * len(keys))
            query = f"SELECT key, line FROM seen WHERE key IN ({marks})"  # noqa: S608 - marks only
            first.update(self._rows.execute(query, keys))
        again: dict[int, int] = {}
        new: list[tuple[str, int]] = []
        for key, line in found:
            if key in first:
                again[line] = first[key]
            else:
                first[key] = line
                new.append((key, line))
        self._rows.execute("BEGIN")
        self._rows.executemany("INSERT INTO seen VALUES (?, ?)", new)
        self._rows.execute("COMMIT")
        return again
