from collections.abc import Callable, Iterator

import pytest

from tests.support.installation import Installation
from tests.support.receiver_process import Started

NO_DATABASE = "postgres://nobody@127.0.0.1:1/none"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    made = Installation(tmp_path_factory.mktemp("receiver"), NO_DATABASE)
    yield made
    made.end()


@pytest.fixture
def start(place: Installation) -> Iterator[Callable[..., Started]]:
    started: list[Started] = []

    def begin(*arguments: str) -> Started:
        started.append(Started(place.start("receiver", "--port", "0", *arguments)))
        return started[-1]

    yield begin
    for one in started:
        one.running.process.kill()


@pytest.fixture(scope="module")
def _one(place: Installation) -> Started:
    return Started(place.start("receiver", "--port", "0"))


@pytest.fixture
def receiver(_one: Started) -> Started:
    """A receiver that was told nothing, for all tests; it remembers nothing of the last test."""
    _one.forget()
    return _one
