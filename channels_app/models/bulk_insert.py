"""Many deliveries at once, past the ORM: COPY on PostgreSQL, one prepared INSERT elsewhere.

The rows are as `Delivery.objects.bulk_create` would make them, in a tenth of its time. What the
caller does not give is the field's default, asked of the model, so that a field that is added
later is filled here as everywhere; the constraints are the database's.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from enum import Enum
from typing import Any, NamedTuple

import psycopg
from django.db import connection
from django.db.models import Field

from channels_app.models.delivery import Delivery

CHUNK = 100  # rows of one write to the server, which works on them while the next are made


class Shared(NamedTuple):
    """What the rows of one call have in common."""

    tenant_id: int
    origin_kind: str
    origin_id: int
    priority: int
    due_at: datetime
    created_at: datetime


class Row(NamedTuple):
    """What is a delivery's own. ``payload`` is a JSON text, ``state`` a plain str."""

    channel_id: int
    recipient_id: int | None
    recipient: str
    address: str
    payload: str
    state: str
    reason: str
    deadline: datetime
    settled_at: datetime | None


GIVEN = (*Shared._fields, *Row._fields)


def insert_deliveries(shared: Shared, rows: Iterable[Row]) -> Counter[str]:
    """Insert the rows inside the caller's transaction; returns how many came in which state.

    They are taken one by one, on PostgreSQL while the server works on those before.
    """
    states: Counter[str] = Counter()
    values = {
        field.attname: _plain(getattr(shared, field.attname, field.get_default()))
        for field in _columns()
        if field.attname not in Row._fields
    }
    # A field's attname is its column's name: no field here names another.
    into = f"{Delivery._meta.db_table} ({', '.join([*values, *Row._fields])})"
    insert = _copy if connection.vendor == "postgresql" else _execute
    insert(into, tuple(values.values()), _counted(rows, states))
    return states


def _columns() -> list["Field[Any, Any]"]:
    """The fields to fill: not the key, nor what the database makes up by itself."""
    return [
        field
        for field in Delivery._meta.concrete_fields
        if not (field.primary_key or field.generated or field.has_db_default())
    ]


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _counted(rows: Iterable[Row], states: Counter[str]) -> Iterator[Row]:
    for row in rows:
        states[row.state] += 1
        yield row


# --- PostgreSQL ---------------------------------------------------------------------------------


def _copy(into: str, same: tuple[Any, ...], rows: Iterable[Row]) -> None:
    start = "".join(f"{_WORDS[type(value)](value)}\t" for value in same)
    lines: list[str] = []
    connection.ensure_connection()
    with (
        connection.wrap_database_errors,
        closing(psycopg.Cursor(connection.connection)) as cursor,  # Django's has no COPY
        cursor.copy(f"COPY {into} FROM STDIN") as copy,
    ):
        for row in rows:
            lines.append(start + "\t".join([_WORDS[type(value)](value) for value in row]))
            if len(lines) == CHUNK:
                copy.write("\n".join(lines) + "\n")
                lines.clear()
        copy.write("".join([f"{line}\n" for line in lines]))


def _text(value: str) -> str:
    """Escape what has a meaning for COPY. A NUL stays: the server refuses it."""
    value = value.replace("\\", "\\\\").replace("\t", "\\t")
    return value.replace("\n", "\\n").replace("\r", "\\r")


_WORDS: dict[type, Callable[[Any], str]] = {
    str: _text,
    int: str,
    datetime: datetime.isoformat,
    type(None): lambda _: r"\N",
}


# --- elsewhere ----------------------------------------------------------------------------------


def _execute(into: str, same: tuple[Any, ...], rows: Iterable[Row]) -> None:
    # sqlite3 looks about for an adapter of each None, which takes it longer than any other value.
    nulls_and_marks = ["NULL" if value is None else "%s" for value in same]
    values = ", ".join([*nulls_and_marks, *["%s"] * len(Row._fields)])
    moments = _Moments()
    same = tuple(
        moments[value] if isinstance(value, datetime) else value
        for value in same
        if value is not None
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {into} VALUES ({values})",  # noqa: S608 - the columns are the model's
            [same + row[:-2] + (moments[row[-2]], moments[row[-1]]) for row in rows],
        )


class _Moments(dict[datetime | None, str | None]):
    """Moments as the database keeps them, each worded once: a batch has few."""

    def __missing__(self, moment: datetime | None) -> str | None:
        words = None
        if moment is not None:
            words = moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
        self[moment] = words
        return words
