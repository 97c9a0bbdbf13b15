from collections.abc import Iterator

import pytest

from tests.support.installation import Installation, installation
from tests.support.services import PostgresServer, RedisServer, postgres_server, redis_server

# Those that take longest, mostly waiting: the others find room beside them.
LONGEST = ("test_two_hosts", "test_killed_at_random", "test_lost_hints", "test_row_that_kills")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest; pytest-xdist takes files of the same size in this order."""
    order = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


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


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation at which nobody works; a copy is made sooner than its like."""
    with installation(tmp_path_factory.mktemp("tables")) as made:
        made.must("migrate")
        yield made


@pytest.fixture(scope="module")
def own_tables(
    own_postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """The same on the PostgreSQL that a test may end."""
    with installation(tmp_path_factory.mktemp("tables"), server=own_postgres.url) as made:
        made.must("migrate")
        yield made
