"""A new row and the note of it, stored by one call past the ORM, which would make several of it."""

from collections.abc import Mapping
from contextlib import nullcontext
from datetime import datetime
from functools import cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model

from project.direct import run


def store_together(row: Model, note: Model, *, link: str) -> None:
    """Insert ``row``, and ``note`` with the row's key in its field ``link``: both or neither.

    As `Model.save` would, but without its signals; PostgreSQL takes both in one statement.
    """
    here = connections[DEFAULT_DB_ALIAS]
    first, second = _insert(type(row), here.vendor), _insert(type(note), here.vendor)
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
    """How a new row of a model is worded for one of the databases."""

    def __init__(self, model: type[Model], vendor: str) -> None:
        self.table = model._meta.db_table
        self.fields = [each for each in model._meta.local_concrete_fields if not each.primary_key]
        self.as_is = [_as_they_stand(each, vendor) for each in self.fields]
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
            if value is not None and type(value) not in as_is:
                value = field.get_db_prep_save(value, here)
            values.append(value)
        return values


# Kinds of fields whose texts and numbers the database takes as they stand.
_PLAIN = {
    *("BigIntegerField", "BooleanField", "CharField", "ForeignKey", "IntegerField"),
    *("PositiveIntegerField", "PositiveSmallIntegerField", "TextField"),
}
_insert = cache(_Insert)


def _as_they_stand(field: "Field[Any, Any]", vendor: str) -> tuple[type, ...]:
    """Return the types of a field's values that need no wording of the ORM's."""
    kind = field.get_internal_type()
    if kind in _PLAIN:
        return (str, int, bool)
    return (datetime,) if kind == "DateTimeField" and vendor == "postgresql" else ()
