"""`manage.py run`, which is what `make run` runs."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.installation import (
    Installation,
    Process,
    Running,
    descendants,
    installation,
    wait_for_end,
)
from tests.support.workers import wait_for

pytestmark = pytest.mark.processes

WORKERS = 8  # the command, the sentinel, four workers, pusher and monitor
WEB = 2


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("run")) as made:
        yield made


@pytest.fixture(scope="module")
def running(site: Installation) -> Running:
    """The whole of it, up, for all tests of this file."""
    return whole(site.start("run", "--demo"))


def whole(running: Running) -> Running:
    running.wait_until_it_says("Address ")
    wait_for(
        lambda: len(running.tree()) == 1 + WEB + WORKERS,
        seconds=60,
        what=f"all of it:\n{running.said}",
    )
    return running


def part(running: Running, name: str) -> list[Process]:
    """The web's or the worker's processes, from the top down."""
    top = next(process for process in running.tree() if f"manage.py {name} " in process.command)
    return descendants(top.pid)


def answers(site: Installation) -> bool:
    try:
        return requests.get(f"{site.url}/admin/login/", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def test_it_says_how_to_get_in_and_lets_in(site: Installation, running: Running) -> None:
    assert f"Address   {site.url}/admin/" in running.said
    assert "Login     admin, password " in running.said
    chat = next(line for line in running.said.splitlines() if line.startswith("Chat ")).split()[-1]
    assert answers(site)
    assert requests.get(chat, timeout=30).status_code == 200


def test_workers_that_were_killed_are_started_anew(running: Running) -> None:
    before = part(running, "worker")
    before[0].kill()
    wait_for_end(before)
    running.wait_until_it_says("worker ended (SIGKILL); again in 1 s.")
    whole(running)


@pytest.mark.parametrize("victim", [0, 1], ids=["server", "serving process"])
def test_a_web_server_that_was_killed_is_started_anew(
    site: Installation, running: Running, victim: int
) -> None:
    before = part(running, "web")
    before[victim].kill()
    wait_for_end([before[victim], before[1]])
    wait_for(lambda: answers(site), seconds=60, what="an answer")
    whole(running)


def test_a_second_copy_runs_beside_it_and_ctrl_c_stops_all_of_that(
    site: Installation, running: Running, tmp_path: Path
) -> None:
    first = set(running.tree())
    with installation(tmp_path) as other:
        second = whole(other.start("run", "--demo"))
        family = second.tree()
        assert answers(other)
        assert second.stop(signal.SIGINT) == 0
        wait_for_end(family)
        assert "ended" not in second.said
    assert set(running.tree()) == first
    assert answers(site)


def test_nobody_outlives_it_when_it_is_killed(running: Running) -> None:
    family = running.tree()
    running.stop(signal.SIGKILL)
    wait_for_end(family)


def test_a_real_installation_gets_no_demo(prepared: Installation) -> None:
    prepared.python("from project.access.models import Tenant; Tenant.objects.create(name='Real')")
    command = whole(prepared.start("run", "--demo"))
    assert "No demo: " in command.said
    assert "Login     nobody yet; make one with manage.py createsuperuser" in command.said
    assert command.stop(signal.SIGTERM) == 0


def test_a_taken_port_is_said_before_anything_is_done(empty: Installation) -> None:
    with socket.create_server(("127.0.0.1", empty.port)):
        refused = empty.manage("run", "--demo")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"CommandError: Port {empty.port} is taken.")
    assert refused.stdout == ""
    assert not (empty.data / "static").exists()
