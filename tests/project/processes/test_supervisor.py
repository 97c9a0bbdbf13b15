"""The supervisor with small programs of its own."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installation import Running, wait_for_end
from tests.support.workers import ROOT

SUPERVISE = """
import os, sys
from project import processes
processes.GRACE = 1.0
programs = {{name: [sys.executable, "-uc", code] for name, code in {programs!r}.items()}}
processes.Supervisor(programs, out=sys.stdout, err=sys.stderr, on_turn=lambda: None).run()
"""


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator:
    started: list[Running] = []

    def start(**programs: str) -> Running:
        log = tmp_path / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-c", SUPERVISE.format(programs=programs)],
                cwd=ROOT,
                stdout=out,
                stderr=out,
            )
        started.append(Running(process, log))
        return started[-1]

    yield start
    for running in started:
        family = running.tree()
        running.process.kill()
        running.process.wait()
        for process in family:
            process.kill()


def test_lines_carry_the_name_of_who_said_them(supervise) -> None:
    running = supervise(
        web="print('one'); print('half', end=''); import time; time.sleep(99)",
        worker=r"import os; os.write(2, b'caf\xe9\n'); import time; time.sleep(99)",
    )
    running.wait_until_it_says("web    | one\n")
    running.wait_until_it_says("worker | caf\N{REPLACEMENT CHARACTER}\n")
    assert running.stop() == 0
    assert "web    | half\n" in running.said


def test_who_ends_is_started_again_after_ever_longer_waits(supervise) -> None:
    running = supervise(short="print('begins'); raise SystemExit(7)")
    running.wait_until_it_says("begins", times=3)
    assert "short ended (exit code 7); again in 1 s." in running.said
    assert "short ended (exit code 7); again in 2 s." in running.said
    assert running.stop() == 0


def test_who_will_not_end_is_killed_with_all_it_started(supervise) -> None:
    running = supervise(
        deaf="import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork(); print('deaf'); time.sleep(99)"
    )
    running.wait_until_it_says("deaf", times=2)
    family = running.tree()
    assert len(family) == 3
    assert running.stop(signal.SIGINT) == 0
    wait_for_end(family)


def test_what_a_dead_one_left_behind_is_gone_before_the_next_begins(supervise) -> None:
    running = supervise(
        careless="import os, time\n"
        "if os.fork(): print('begins'); os._exit(1)\n"
        "else: print('left'); time.sleep(99)"
    )
    running.wait_until_it_says("begins", times=2)
    running.wait_until_it_says("left", times=1)
    assert running.stop() == 0


def test_it_ends_when_nobody_reads_what_it_says(supervise) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE.format(programs={"talker": "while True: print('and')"})],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.wait(60)
