"""What `manage.py receiver` answers, by path and as told."""

import time

import pytest
import requests

from tests.support.receiver_process import SECONDS

pytestmark = pytest.mark.processes


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/", 200, b'{"ok": true}'),
        ("/hooks/acme", 200, b'{"ok": true}'),
        ("/500", 500, b'{"ok": false}'),
        ("/503/hooks/acme?x=1", 503, b'{"ok": false}'),
        ("/410?x=1", 410, b'{"ok": false}'),
        ("/204", 204, b""),
        ("/599", 599, b'{"ok": false}'),
        ("/null", 200, b"null"),
        ("/null:status=500", 500, b"null"),
        ("/empty", 200, b""),
        ("/huge=5k", 200, b"x" * 5000),
        ("/huge=0", 200, b""),
        ("/600", 200, b'{"ok": true}'),
    ],
)
def test_a_path_says_how_it_is_answered(receiver, path, status, body):
    answer = receiver.post(path)
    assert (answer.status_code, answer.content) == (status, body)


def test_a_binary_body_is_no_text(receiver):
    with pytest.raises(UnicodeDecodeError):
        receiver.post("/binary").content.decode()


def test_success_and_refusal_read_as_service_optimizer_has_them(receiver):
    accepted, refused = receiver.post("/accept"), receiver.post("/refuse")
    assert accepted.json() == {"Success": True, "Code": "0", "Message": "OK"}
    assert refused.status_code == 200
    assert refused.json()["Success"] is False
    assert int(refused.json()["Code"]) != 0


def test_a_limited_answer_says_when_to_come_back(receiver):
    answer = receiver.post("/429:retry-after=30")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "30")


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/redirect", "http://169.254.169.254/latest/meta-data/"),
        ("/redirect=http%3A%2F%2F10.0.0.1%3A81%2Fa:status=307/x", "http://10.0.0.1:81/a"),
    ],
)
def test_a_redirect_leads_where_it_should_not(receiver, path, location):
    answer = receiver.post(path)
    assert answer.is_redirect
    assert answer.headers["Location"] == location


def test_a_path_puts_no_header_of_its_own_into_the_answer(receiver):
    answer = receiver.post("/redirect=http%3A%2F%2Fa%0D%0AX-Injected%3A%201")
    assert answer.status_code == 200
    assert "X-Injected" not in answer.headers


def test_a_slow_answer_holds_up_nobody_else(receiver):
    begun = time.monotonic()
    with receiver.connect() as slow:
        slow.sendall(b"POST /200:delay=1.5 HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        assert receiver.post("/500").status_code == 500
        slow.settimeout(0.1)
        with pytest.raises(TimeoutError):
            slow.recv(1)
        slow.settimeout(SECONDS)
        assert slow.recv(1) == b"H"
    assert time.monotonic() - begun >= 1.5


def test_silence_lasts_and_holds_up_nobody_else(receiver):
    with pytest.raises(requests.ReadTimeout):
        receiver.post("/hang", timeout=1)
    assert receiver.post("/").status_code == 200


def test_a_dropped_connection_has_no_answer(receiver):
    with pytest.raises(requests.ConnectionError):
        receiver.post("/drop")
    assert receiver.received()["answers"] == {"drop": 1}


def test_a_huge_body_is_sent_but_never_held(receiver):
    before = receiver.memory()
    with receiver.connect() as never_read:
        never_read.sendall(b"POST /huge=9G HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        answer = receiver.post("/huge", stream=True)
        assert sum(map(len, answer.iter_content(1 << 20))) == 100_000_000
    assert receiver.memory() - before < 30_000_000


def test_a_share_is_exact_and_even(receiver):
    assert receiver.statuses("/500:share=20/a", 10) == [200, 200, 200, 200, 500] * 2
    assert receiver.statuses("/500:share=0/a", 10) == [200] * 10


def test_each_path_has_its_own_place_in_its_answers(receiver):
    specs = "/500*2,429:retry-after=1,204"
    assert receiver.statuses(f"{specs}/a", 2) == [500, 500]
    assert receiver.statuses(f"{specs}/b", 1) == [500]
    assert receiver.statuses(f"{specs}/a", 3) == [429, 204, 204]
    assert receiver.statuses("/500*1", 3) == [500, 200, 200]
    receiver.forget()
    assert receiver.statuses(f"{specs}/a", 1) == [500]


@pytest.mark.parametrize(
    ("arguments", "statuses"),
    [
        (["--answer", "500"], [500, 500, 500]),
        (["--answer", "500*2"], [500, 500, 200, 200]),
        (["--answer", "500*2", "429", "--answer", "refuse:status=503"], [500, 500, 429, 503, 503]),
        (["--answer", "500", "--then", "204"], [500, 204, 204]),
        (["--then", "418"], [418, 418]),
    ],
    ids=str,
)
def test_the_command_says_what_other_paths_are_answered(start, arguments, statuses):
    receiver = start(*arguments)
    assert receiver.statuses("/410", 1) == [410]
    assert receiver.statuses("/hook", len(statuses)) == statuses
    receiver.forget()
    assert receiver.statuses("/other", 1) == statuses[:1]
