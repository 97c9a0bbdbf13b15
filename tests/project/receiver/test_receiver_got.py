"""What `manage.py receiver` keeps and prints of what it got."""

import json
from itertools import islice

import pytest
import requests

from tests.support.receiver_process import SECONDS

pytestmark = pytest.mark.processes


def test_it_shows_what_it_got(receiver):
    receiver.post("/hook?a=1", '{"text":"Grüße"}'.encode(), headers={"webhook-id": "dlv_1"})
    receiver.post("/500", b"\xff")
    shown = receiver.received()
    assert (shown["total"], shown["bytes"], shown["malformed"]) == (2, 19, 0)
    assert shown["answers"] == {"200": 1, "500": 1}
    assert shown["paths"] == {"/hook": 1, "/500": 1}
    first, second = shown["requests"]
    assert (first["method"], first["path"], first["size"]) == ("POST", "/hook?a=1", 18)
    assert (first["headers"]["webhook-id"], first["body"]) == ("dlv_1", '{"text":"Grüße"}')
    assert (second["body_base64"], second["answer"]) == ("/w==", "500")
    receiver.forget()
    assert receiver.received()["requests"] == []


def test_it_keeps_the_last_thousand(receiver):
    receiver.statuses("/500:share=50", 1010)
    shown = receiver.received()
    assert (shown["total"], shown["answers"]) == (1010, {"200": 505, "500:share=50": 505})
    assert [one["number"] for one in shown["requests"]] == list(range(11, 1011))


def test_of_a_large_body_it_keeps_the_beginning_and_counts_the_rest(receiver):
    before = receiver.memory()
    megabyte = b"0123456789" * 100_000
    assert receiver.post("/", islice(iter(lambda: megabyte, b""), 50)).status_code == 200
    assert receiver.post("/", megabyte * 2).status_code == 200
    chunked, plain = receiver.received()["requests"]
    assert (chunked["size"], plain["size"]) == (50_000_000, 2_000_000)
    assert chunked["body"] == plain["body"] == (megabyte * 2)[: 1024 * 1024].decode()
    assert receiver.memory() - before < 40_000_000


def test_of_many_large_bodies_it_keeps_the_last(receiver):
    for _ in range(20):
        receiver.post("/", b" " * 1024 * 1024)
    shown = receiver.received()
    assert (shown["total"], shown["bytes"]) == (20, 20 * 1024 * 1024)
    assert [one["number"] for one in shown["requests"]] == list(range(5, 21))


def test_it_tells_what_it_understands(receiver):
    text = requests.get(receiver.url, timeout=SECONDS).text
    for spec in ("hang", "drop", "redirect=URL", "huge=SIZE", "refuse", ":share=", "/received"):
        assert spec in text
    assert receiver.received()["total"] == 0


def test_each_request_is_printed_with_its_body_indented(receiver):
    receiver.post("/500/printed", b'{"a":{"b":"caf\xc3\xa9"}}', headers={"webhook-id": "dlv_7"})
    receiver.running.wait_until_it_says("POST /500/printed 19 B dlv_7 → 500\n")
    receiver.running.wait_until_it_says(
        '\n    {\n      "a": {\n        "b": "café"\n      }\n    }\n'
    )
    receiver.post("/text", b"\x1b[2J plain")
    receiver.running.wait_until_it_says("POST /text 10 B - → 200\n    (no JSON)\n")


def test_what_it_prints_steers_no_terminal(receiver):
    receiver.post("/x", json.dumps("\x9b31m \ud800"), headers={"webhook-id": "a\x9b2Jb"})
    receiver.running.wait_until_it_says("POST /x 18 B a\\x9b2Jb → 200\n")
    receiver.running.wait_until_it_says('    "\\x9b31m \\ud800"\n')
    assert "\x9b" not in receiver.running.said


def test_quiet_prints_counts_only(start):
    receiver = start("--quiet")
    receiver.statuses("/500", 30)
    receiver.running.wait_until_it_says("30 requests")
    assert receiver.running.stop() == 0
    assert "POST" not in receiver.running.said
    assert receiver.running.said.endswith("\n30 requests.\n")
