"""How `manage.py receiver` begins and ends. It needs no database."""

import signal
import socket
import subprocess
import sys
import time

import pytest
import requests
from django.core.management import CommandError, call_command

from tests.support.receiver_process import SECONDS
from tests.support.workers import ROOT, wait_for

pytestmark = pytest.mark.processes


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_when_told_to_whoever_is_connected(start, how):
    receiver = start()
    with receiver.connect() as waiting, receiver.connect() as idle, receiver.connect() as flooded:
        waiting.sendall(b"POST /hang HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        flooded.sendall(b"POST /huge HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        flooded.recv(1)
        idle.sendall(b"POST /sl")
        wait_for(lambda: receiver.received()["total"] == 2, seconds=SECONDS, what="both")
        begun = time.monotonic()
        assert receiver.running.stop(how) == 0
        assert time.monotonic() - begun < 5  # a second, where nothing else runs
    assert "Traceback" not in receiver.running.said
    assert receiver.running.said.endswith("2 requests.\n")


@pytest.mark.parametrize("closed", [False, True], ids=["stands still", "is gone"])
def test_it_answers_and_ends_also_when_its_terminal(place, closed):
    process = subprocess.Popen(
        [sys.executable, "manage.py", "receiver", "--port", "0"],
        cwd=ROOT,
        env={**place.environment, "PYTHONUNBUFFERED": ""},  # as in a shell
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    url = process.stdout.readline().split()[2].decode()
    if closed:
        process.stdout.close()
    with requests.Session() as session:
        for _ in range(40):  # 400 kB: more than a pipe holds
            session.post(f"{url}500", json=["x" * 10_000], timeout=SECONDS)
        assert session.get(f"{url}received", timeout=SECONDS).json()["total"] == 40
    process.terminate()
    assert process.wait(SECONDS) == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""


def test_a_taken_port_is_named(place):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        refused = place.manage("receiver", "--port", str(port))
    assert (refused.returncode, refused.stderr) == (1, f"CommandError: Port {port} is taken.\n")


def test_an_address_of_another_machine_is_refused(place):
    refused = place.manage("receiver", "--host", "192.0.2.1", "--port", "0")
    assert refused.returncode == 1
    assert refused.stderr.startswith("CommandError: Cannot listen on 192.0.2.1, port 0: ")


@pytest.mark.parametrize(
    "spec",
    [
        *("", "2000", "199", "600", "hagn", "500=1", "null=1", "500*0", "500*", "500*x"),
        *("200:delay=x", "200:delay=-1", "200:delay", "200:later=1", "429:retry-after=soon"),
        *("500:share=101", "huge=lots", "huge=-1", "redirect=a b", "redirect=\r\nX: 1"),
        *("null:status=99", "redirect=" + "x" * 600, "\u0665\u0660\u0660"),
    ],
)
@pytest.mark.parametrize("option", ["--answer", "--then"])
def test_a_spec_that_is_none_is_named_with_what_is_understood(spec, option):
    with pytest.raises(CommandError) as refused:
        call_command("receiver", f"{option}={spec}")
    assert f"“{spec[:80]}" in str(refused.value)
    assert "retry-after=N" in str(refused.value)


def test_the_command_line_says_so_too(place):
    refused = place.manage("receiver", "--answer", "500", "hagn")
    assert refused.returncode == 1
    assert refused.stderr.startswith("CommandError: “hagn” is not understood: there is no “hagn”.")
    assert place.manage("receiver", "--port", "70000").returncode != 0
