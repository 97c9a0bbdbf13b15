"""Tables that are only ever added to, kept so by the database itself."""

from typing import Any

from django.db.migrations import RunPython


def refuse_updates(table: str, words: str) -> RunPython:
    """Return a migration's step after which any UPDATE of ``table`` fails, saying ``words``.

    On SQLite a later migration that alters the table rebuilds it without its triggers; repeat
    this step after such a one.
    """
    name = f"{table}_append_only"
    sqlite = [
        f"CREATE TRIGGER {name} BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, '{words}'); END"
    ]
    body = f"BEGIN RAISE EXCEPTION '{words}'; END"
    postgresql = [
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$",
        f"CREATE TRIGGER {name} BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
    ]
    undo = {
        "sqlite": [f"DROP TRIGGER {name}"],
        "postgresql": [f"DROP TRIGGER {name} ON {table}", f"DROP FUNCTION {name}()"],
    }

    def add(apps: Any, schema_editor: Any) -> None:
        vendor = schema_editor.connection.vendor
        for statement in {"sqlite": sqlite, "postgresql": postgresql}[vendor]:
            schema_editor.execute(statement)

    def remove(apps: Any, schema_editor: Any) -> None:
        for statement in undo[schema_editor.connection.vendor]:
            schema_editor.execute(statement)

    return RunPython(add, remove)
