import csv
import io
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from notifications.people.importing import BATCH, import_stream, read_table
from project.access.audit import Actor
from project.access.models import AuditEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path: Path):
    def write(content: str) -> str:
        path = tmp_path / "people.csv"
        path.write_text(content)
        return str(path)

    return write


def run(name: str, *args: str) -> dict:
    out = io.StringIO()
    try:
        call_command(name, *args, "--tenant", "Acme Utilities", "--json", stdout=out)
    except CommandError as error:
        return {**json.loads(out.getvalue()), "exit": error.returncode}
    return {**json.loads(out.getvalue()), "exit": 0}


def counts(report: dict) -> tuple[int, ...]:
    return tuple(report[name] for name in ("rows", "new", "changed", "unchanged", "refused"))


def test_a_list_longer_than_a_batch_is_taken_in_and_repeating_it_changes_nothing(file, tenant):
    rows = "".join(f"user{n},{n}@acme.example,-4\n" for n in range(BATCH + 500))
    path = file("login,email,roles\n" + rows)
    first = run("import_recipients", path)
    assert counts(first) == (BATCH + 500, BATCH + 500, 0, 0, 0)
    assert tenant.recipients.holding([-4]).with_address("email").count() == BATCH + 500
    assert counts(run("import_recipients", path)) == (BATCH + 500, 0, 0, BATCH + 500, 0)


def test_refused_rows_are_named_and_the_others_imported(file, tenant, capsys):
    report = run("import_recipients", file("login,roles\nana,-4\nbo,99\n0,\nANA,\n"))
    assert report["exit"] == 1
    assert counts(report) == (4, 1, 0, 0, 3)
    assert report["errors"] == [
        "Line 3, roles: There is no role 99.",
        "Line 4, login: 0 means everyone and can't be a login.",
        "Line 5, login: It stands in line 2 already.",
    ]
    assert capsys.readouterr().err.splitlines() == report["errors"]
    assert [person.login for person in tenant.recipients.all()] == ["ana"]


def test_a_login_repeated_in_a_later_batch_is_noticed(file, tenant):
    rows = "".join(f"user{n}\n" for n in range(BATCH + 1))
    report = run("import_recipients", file(f"login\n{rows}User0\n"))
    assert report["errors"] == [f"Line {BATCH + 3:,}, login: It stands in line 2 already."]


def test_strict_imports_nothing_unless_all_is_good(file, tenant):
    report = run("import_recipients", file("login,roles\nana,-4\nbo,99\n"), "--strict")
    assert (report["exit"], report["written"], report["refused"]) == (1, False, 1)
    assert tenant.recipients.count() == 0
    good = run("import_recipients", file("login,roles\nana,-4\n"), "--strict")
    assert (good["exit"], good["written"], good["new"]) == (0, True, 1)
    assert tenant.recipients.count() == 1


def test_a_dry_run_counts_and_writes_nothing(file, tenant, make_person):
    make_person("ana", name="Ana")
    before = AuditEntry.objects.count()
    report = run("import_recipients", file("login,name\nana,New\nbo,Bo\n"), "--dry-run")
    assert counts(report) == (2, 1, 1, 0, 0)
    assert report["written"] is False
    assert [person.name for person in tenant.recipients.all()] == ["Ana"]
    assert AuditEntry.objects.count() == before


def test_a_file_that_breaks_off_is_gone_on_with(file, tenant):
    rows = "".join(f"user{n}\n" for n in range(BATCH))
    report = run("import_recipients", file(f'login\n{rows}"broken\n'))
    assert report["exit"] == 1
    assert "The CSV breaks at line" in report["errors"][0]
    assert tenant.recipients.count() == BATCH
    end = AuditEntry.objects.filter(action="recipient.import").get()
    assert end.details["new"] == BATCH
    again = run("import_recipients", file(f"login\n{rows}mended\n"))
    assert counts(again) == (BATCH + 1, 1, 0, BATCH, 0)


def test_the_audit_trail_has_the_start_and_the_end_of_a_long_import(file, tenant):
    run("import_recipients", file("login\nana\n"))
    entries = AuditEntry.objects.filter(action__startswith="recipient.import").order_by("pk")
    assert [entry.action for entry in entries] == ["recipient.import_start", "recipient.import"]
    assert entries[1].actor_name == "import_recipients command"
    assert entries[1].details["new"] == 1


def test_only_the_named_tenant_is_touched(file, other_tenant, make_person):
    theirs = make_person("ana", of=other_tenant, name="Theirs")
    run("import_recipients", file("login,name\nana,Ours\n"))
    theirs.refresh_from_db()
    assert theirs.name == "Theirs"


def test_an_unknown_tenant_or_file_is_refused(file):
    with pytest.raises(CommandError, match="There is no tenant “Nobody”"):
        call_command("import_recipients", file("login\nana\n"), "--tenant", "Nobody")
    with pytest.raises(CommandError, match="there is no file /nowhere"):
        call_command("import_recipients", "/nowhere", "--tenant", "Acme Utilities")


def test_an_export_is_what_the_import_reads(tmp_path, make_person, tenant):
    make_person("=ana", name="Ana", roles=[-1], addresses={"email": "a@b.example"})
    make_person("bo", opt_outs={"*"})
    path = tmp_path / "out.csv"
    call_command("export_recipients", str(path), "--tenant", "Acme Utilities")
    with path.open(newline="") as lines:
        assert [row["login"] for row in csv.DictReader(lines)] == ["'=ana", "bo"]
    assert counts(run("import_recipients", str(path))) == (2, 0, 0, 2, 0)
    entry = AuditEntry.objects.get(action="recipient.export")
    assert entry.details == {"format": "CSV", "people": 2}


def test_an_export_to_a_place_that_is_none_says_so(tenant):
    with pytest.raises(CommandError, match=r"/nowhere/x.csv can't be written"):
        call_command("export_recipients", "/nowhere/x.csv", "--tenant", "Acme Utilities")


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_the_same_people_at_once_make_each_person_once(tenant):
    rows = "".join(f"user{n},{n}@acme.example,-4\n" for n in range(800))
    data = f"login,email,roles\n{rows}".encode()
    start = threading.Barrier(2)
    counted: list[Counter[str]] = []

    def take_in() -> None:
        try:
            start.wait(10)
            total: Counter[str] = Counter()
            for batch in import_stream(
                tenant, read_table(io.BytesIO(data)), by=Actor.hub("tests"), source="x"
            ):
                total += batch.counts
            counted.append(total)
        finally:
            connection.close()

    threads = [threading.Thread(target=take_in) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(counted, Counter()) == {"new": 800, "unchanged": 800}
    assert tenant.recipients.with_address("email").holding([-4]).count() == 800


@pytest.mark.django_db(transaction=True)
@pytest.mark.processes
def test_a_pipe_goes_through_both_commands(tenant):
    """As a person types it: a list in on standard input, and out on standard output."""

    def manage(*args: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        database = connection.settings_dict
        url = (
            f"sqlite:///{database['NAME']}"
            if connection.vendor == "sqlite"
            else f"postgres://{database['USER']}:{database['PASSWORD']}@{database['HOST']}"
            f":{database['PORT'] or 5432}/{database['NAME']}"
        )
        return subprocess.run(
            [sys.executable, "manage.py", *args, "--tenant", tenant.name],
            input=given,
            capture_output=True,
            cwd=settings.BASE_DIR,
            env={**os.environ, "DATABASE_URL": url},
            check=False,
            timeout=60,
        )

    given = "login,name\nana,Zoë\n".encode()
    done = manage("import_recipients", "-", "--strict", given=given)
    assert done.returncode == 0, done.stderr
    again = manage("import_recipients", "-", given=given + b"0,Nobody\n")
    assert again.returncode == 1
    assert b"Line 3, login: 0 means everyone" in again.stderr
    out = manage("export_recipients")
    assert [line.split(",")[:2] for line in out.stdout.decode().splitlines()] == [
        ["login", "name"],
        ["ana", "Zoë"],
    ]
