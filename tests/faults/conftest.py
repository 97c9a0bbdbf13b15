from collections.abc import Iterator

import pytest

from tests.support.services import PostgresServer, RedisServer, postgres_server, redis_server


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that a test may end and start."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def own_redis() -> Iterator[RedisServer]:
    """A Redis that a test may empty and stop."""
    with redis_server() as server:
        yield server
