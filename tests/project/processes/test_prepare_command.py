"""`manage.py prepare`: tables and static files."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.support.installation import Installation
from tests.support.workers import ROOT


@pytest.mark.processes
def test_several_hosts_may_prepare_one_database_at_once(empty: Installation) -> None:
    starting = [
        subprocess.Popen(
            [sys.executable, "manage.py", "prepare"],
            cwd=ROOT,
            # Folders of their own, as on hosts of their own; SQLite has one host only.
            env=empty.environment | ({"CARILLON_DATA": str(data)} if data else {}),
            stderr=subprocess.PIPE,
        )
        for data in _folders(empty)
    ]
    for process in starting:
        _out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
    assert empty.manage("migrate", "--check").returncode == 0


def _folders(empty: Installation) -> list[Path | None]:
    if "DATABASE_URL" not in empty.environment:
        return [None, None, None]
    return [empty.data / str(number) for number in range(3)]


@pytest.fixture
def style(tmp_path: Path, settings) -> Path:
    """A static file of an installation that has no other."""
    source = tmp_path / "source"
    source.mkdir()
    settings.STATICFILES_DIRS = [source]
    settings.STATIC_ROOT = tmp_path / "collected"
    style = source / "style.css"
    style.write_text("p { color: red }")
    return style


@pytest.mark.django_db
def test_static_files_are_collected_when_they_changed_only(style: Path, settings) -> None:
    collected = settings.STATIC_ROOT / "style.css"
    call_command("prepare")
    assert collected.read_text() == "p { color: red }"

    collected.write_text("left alone")
    call_command("prepare")
    assert collected.read_text() == "left alone"

    style.write_text("p { color: navy }")
    later = time.time() + 2  # collectstatic compares times by the second
    os.utime(style, (later, later))
    call_command("prepare")
    assert collected.read_text() == "p { color: navy }"
