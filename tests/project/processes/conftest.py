from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installation import Installation, installation


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Installation]:
    """An installation in which nothing was done yet."""
    with installation(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with its tables, for all tests of a file."""
    with installation(tmp_path_factory.mktemp("prepared")) as made:
        made.must("migrate")
        yield made
