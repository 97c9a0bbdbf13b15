"""`manage.py worker`, and django-q2's own `qcluster` beside it."""

import json
import signal
from pathlib import Path

import pytest

from project.worker_pool import STALL
from tests.support.installation import Installation, Running, wait_for_end
from tests.support.receiver import Answer, Receiver
from tests.support.workers import wait_for

pytestmark = pytest.mark.processes

# Seconds. Whoever is killed may have held a lock that the sentinel then waits for: it is found
# to be stuck after STALL, and all end.
ENDS = STALL + 60
WORKERS = 8  # the command, the sentinel, four workers, pusher and monitor


def started(running: Running) -> Running:
    wait_for(lambda: len(running.tree()) == WORKERS, seconds=60, what="all of them")
    return running


def send_one(where: Installation, receiver: Receiver) -> None:
    """Have the demo's webhook channel send to one person, and wait for the first try."""
    where.must("demo", "--callback-url", f"{receiver.url}/hook")
    person = json.loads(where.must("demo", "--json"))["recipients"][0]["login"]
    where.must("notify", "--to", person, "--channel", "Webhook", "--text", "Hello")
    wait_for(lambda: len(receiver.requests) > 0, seconds=60, what="a first try")


def attempts(where: Installation) -> list[str]:
    code = (
        "from channels_app.models import Attempt;"
        "print(*Attempt.objects.order_by('pk').values_list('outcome', flat=True))"
    )
    return where.python(code).split()


@pytest.mark.parametrize("command", ["worker", "qcluster"])
def test_what_was_hinted_at_is_done(prepared: Installation, tmp_path: Path, command: str) -> None:
    done = tmp_path / "done"
    prepared.python(
        "from pathlib import Path; from django_q.tasks import async_task;"
        f"async_task('pathlib.Path.touch', Path({str(done)!r}))"
    )
    running = prepared.start(command)
    wait_for(done.exists, seconds=60, what=f"the task: {running.said}")
    assert running.stop() == 0


@pytest.mark.parametrize("victim", [1, 2, -2, -1], ids=["sentinel", "worker", "pusher", "monitor"])
def test_all_end_when_one_is_killed_so_that_others_can_be_started(
    prepared: Installation, victim: int
) -> None:
    running = started(prepared.start("worker"))
    family = running.tree()
    family[victim].kill()
    assert running.process.wait(ENDS) == 1
    wait_for_end(family)


def test_a_loop_that_waits_for_a_retry_ends_when_told_to(prepared: Installation) -> None:
    with Receiver(lambda request: Answer(500)) as receiver:
        running = started(prepared.start("worker"))
        send_one(prepared, receiver)
        family = running.tree()
        assert running.stop() == 0
    wait_for_end(family)
    assert "did not come to an end" not in running.said


def test_who_is_at_work_when_another_is_killed_finishes_first(prepared: Installation) -> None:
    before = attempts(prepared)
    with Receiver(lambda request: Answer(delay=1)) as receiver:
        running = started(prepared.start("worker"))
        send_one(prepared, receiver)
        family = running.tree()
        family[-1].kill()
        assert running.process.wait(ENDS) == 1
        wait_for_end(family)
    since = attempts(prepared)[len(before) :]
    assert since.count("accepted") == len(receiver.requests)
    assert "unknown" not in since


def test_workers_whose_sentinel_is_stuck_end(prepared: Installation) -> None:
    code = (
        "from project import worker_pool; worker_pool.STALL = 10.0;"
        "raise SystemExit(0 if worker_pool.WorkerPool().run() else 3)"
    )
    running = started(prepared.start("shell", "--no-imports", "-c", code))
    family = running.tree()
    running.signal(family[1], signal.SIGSTOP)
    assert running.process.wait(60) == 3
    wait_for_end(family)


def test_without_tables_it_says_what_to_do(empty: Installation) -> None:
    refused = empty.manage("worker")
    assert refused.returncode == 1
    assert refused.stderr.startswith("CommandError: Is the database prepared (manage.py prepare)?")
