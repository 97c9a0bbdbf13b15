"""PostgreSQL and Redis that fail in the middle of a send, and come back."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from channels_app.dispatch.drain import WINDOW
from tests.support.books import assert_all_sent, open_rows, wait_until_settled
from tests.support.installation import Installation, installation
from tests.support.receiver import Answer, Receiver
from tests.support.services import PostgresServer, RedisServer

# The same code runs on SQLite; what fails here are the other two.
pytestmark = [pytest.mark.processes, pytest.mark.postgres, pytest.mark.redis]

PEOPLE = 1500
SLOW = Answer(delay=0.4)  # so that the send takes some seconds, and many are under way
MISSED = "The database did not answer"
LEASE, SWEEP = 30, 60  # seconds until a lost row is found, and lost hints are


@pytest.fixture
def where(
    tmp_path: Path, own_postgres: PostgresServer, own_redis: RedisServer, own_tables: Installation
) -> Iterator[Installation]:
    with installation(
        tmp_path, server=own_postgres.url, like=own_tables, REDIS_URL=own_redis.url
    ) as made:
        yield made


def send_to(where: Installation, receiver: Receiver, count: int) -> int:
    return int(
        where.python(f"from tests.support.load import *; print(send_to({count}, '{receiver.url}'))")
    )


def send_again(where: Installation) -> int:
    return int(where.python("from tests.support.load import *; print(send())"))


def test_a_redis_that_stops_and_comes_back_empty_costs_time_alone(
    where: Installation, own_redis: RedisServer
) -> None:
    with Receiver(lambda request: SLOW) as receiver:
        worker = where.start("worker")
        first = send_to(where, receiver, PEOPLE)
        receiver.wait_for(PEOPLE // 5, 60)
        own_redis.stop(signal.SIGKILL)
        assert open_rows(where, first), "it was over before Redis stopped"
        # Who is at work needs no Redis, and whoever composes is not refused for the want of it.
        second = send_again(where)
        wait_until_settled(where, pk=first, rows=PEOPLE, seconds=60)
        own_redis.start()
        wait_until_settled(where, pk=second, rows=PEOPLE, seconds=SWEEP + 60)
        third = send_again(where)
        receiver.wait_for(2 * PEOPLE + PEOPLE // 5, 60)
        own_redis.empty()
        wait_until_settled(where, pk=third, rows=PEOPLE, seconds=60)
        assert worker.process.poll() is None, worker.said
        assert assert_all_sent(where, receiver.requests, rows=3 * PEOPLE).cut_off == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["in order", "crash"])
def test_a_postgresql_that_restarts_repeats_no_more_than_a_window(
    where: Installation, own_postgres: PostgresServer, how: signal.Signals
) -> None:
    with Receiver(lambda request: SLOW) as receiver:
        worker = where.start("worker")
        send_to(where, receiver, PEOPLE)
        for number in (1, 2):
            receiver.wait_for(PEOPLE * number // 5, 60)
            own_postgres.restart(how)
        receiver.wait_for(PEOPLE * 3 // 5, 60)
        own_postgres.stop(how)
        missed = worker.said.count(MISSED)
        worker.wait_until_it_says(MISSED, times=missed + 4)
        own_postgres.start()
        assert open_rows(where), "it was over before PostgreSQL restarted"
        wait_until_settled(where, rows=PEOPLE, seconds=LEASE + SWEEP + 60)
        assert worker.process.poll() is None, worker.said
        assert assert_all_sent(where, receiver.requests, rows=PEOPLE).cut_off <= WINDOW
