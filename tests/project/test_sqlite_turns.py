"""SQLite's writers take turns, whoever they are and however they end."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from django.db import OperationalError, transaction
from django.db.utils import ConnectionHandler

from tests.support.workers import ROOT, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def open_at(path: Path, timeout: float = 30):
    """A connection of its own to the database in ``path``."""
    settings = {
        "ENGINE": "project.sqlite",
        "NAME": str(path),
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": timeout},
    }
    return ConnectionHandler({"default": settings})["default"]


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "turns.sqlite3"
    connection = open_at(made)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("CREATE TABLE line (who text)")
    connection.close()
    return made


def lines(path: Path) -> list[str]:
    connection = open_at(path)
    with connection.cursor() as cursor:
        cursor.execute("SELECT who FROM line ORDER BY rowid")
        found = [who for (who,) in cursor.fetchall()]
    connection.close()
    return found


def begin(connection) -> None:
    connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)


def write(connection, who: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO line VALUES (%s)", [who])


def test_a_writer_waits_for_the_one_before_it(path):
    first = open_at(path)
    begin(first)
    write(first, "first")

    def second() -> None:
        connection = open_at(path)
        write(connection, "second")  # by itself, outside of a transaction
        connection.close()

    waiting = threading.Thread(target=second)
    waiting.start()
    time.sleep(0.2)  # it may look many times; it must not write
    assert waiting.is_alive()
    first.commit()
    first.close()
    waiting.join(20)
    assert lines(path) == ["first", "second"]


def test_a_turn_ends_with_a_rollback_and_with_a_refused_statement(path):
    first, second = open_at(path), open_at(path, timeout=5)
    begin(first)
    write(first, "never")
    first.rollback()
    write(second, "second")
    with pytest.raises(OperationalError), first.cursor() as cursor:
        cursor.execute("INSERT INTO nowhere VALUES (1)")
    write(second, "again")
    for connection in (first, second):
        connection.close()
    assert lines(path) == ["second", "again"]


def test_who_reads_waits_for_nobody(path):
    first = open_at(path)
    begin(first)
    write(first, "open")
    assert lines(path) == []
    first.rollback()
    first.close()


def test_a_writer_out_of_patience_is_told_so(path):
    first, second = open_at(path), open_at(path, timeout=0.3)
    begin(first)
    write(first, "first")
    with pytest.raises(OperationalError, match="locked"):
        write(second, "second")
    first.commit()
    write(second, "second")
    for connection in (first, second):
        connection.close()
    assert lines(path) == ["first", "second"]


def test_a_turn_ends_with_its_holder_s_death(path):
    code = """
        import sys, time
        from pathlib import Path
        from tests.project.test_sqlite_turns import begin, open_at, write
        connection = open_at(Path(sys.argv[1]))
        begin(connection)
        write(connection, "dead")
        print("ready", flush=True)
        time.sleep(600)
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
    }
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(path)],
        stdout=subprocess.PIPE,
        env=environment,
        cwd=ROOT,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"ready\n"
    heir = open_at(path)
    waiting = threading.Thread(target=write, args=(heir, "heir"))
    heir.inc_thread_sharing()
    waiting.start()
    holder.send_signal(signal.SIGKILL)
    holder.wait(20)
    wait_for(lambda: not waiting.is_alive(), seconds=20, what="the turn")
    heir.close()
    assert lines(path) == ["heir"]


def test_many_writers_lose_nothing(path):
    def many(who: str) -> None:
        connection = open_at(path)
        for number in range(100):
            if number % 2:
                write(connection, who)
            else:
                begin(connection)
                write(connection, who)
                connection.commit()
                connection.set_autocommit(True)
        connection.close()

    writers = [threading.Thread(target=many, args=(str(number),)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert sorted(lines(path)) == sorted(["0", "1", "2", "3"] * 100)


def test_a_transaction_in_a_transaction_takes_one_turn(tenant):
    with transaction.atomic(), transaction.atomic():
        tenant.save()
    with transaction.atomic():
        tenant.save()


def test_where_no_turns_can_be_taken_all_goes_on_without(path, monkeypatch):
    Path(f"{path}-turn").unlink()
    Path(f"{path}-turn").mkdir()  # nothing that could be opened to be locked
    first = open_at(path)
    begin(first)
    write(first, "first")
    first.commit()
    first.close()
    assert lines(path) == ["first"]


def test_the_lock_belongs_to_whoever_owns_the_database(path):
    """Root may be the first to look; the service's user must get in afterwards."""
    Path(f"{path}-turn").unlink()
    path.chmod(0o664)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    connection = open_at(path)
    connection.ensure_connection()
    connection.close()
    owner, lock = path.stat(), Path(f"{path}-turn").stat()
    assert (lock.st_uid, lock.st_gid) == (owner.st_uid, owner.st_gid)
