"""At most so many of a kind on one host.

A slot is a lock on a file, which the system lets go of when its holder dies in whatever way, so
no slot is ever lost and none needs a clock.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings


@contextmanager
def hold_slot(kind: str, count: int) -> Iterator[int | None]:
    """Hold the first free slot of ``kind``, numbered from 0; None when all are taken."""
    folder = Path(settings.DATA_DIR) / "slots"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        with (folder / f"{kind}-{number}.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield number
            return
    yield None
