"""Hints to the workers. What is to be done is in the rows; the sweep heals a lost hint."""

import time
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django_q.brokers import Broker, get_broker
from django_q.conf import Conf
from django_q.tasks import async_task

from project import stopping
from project.slots import hold_slot

COVER = 1.0  # seconds after a hint to a watcher, in which this process gives it no other
WATCH = 1.5  # seconds that a watcher looks out after each hint; well above COVER
LONGEST = 20.0  # seconds after which a watcher hands over
PAUSE = 0.1  # seconds between two looks

_told: dict[str, float] = {}  # watchers, and until when they need no other hint; as time.monotonic


def hints_are_rows() -> bool:
    """Whether a hint is a row of this database, to be written with those that it is about."""
    return bool(Conf.ORM)


def hint(task: str, *args: Any) -> None:
    """Have a worker run ``task``, a dotted path, once the current transaction is committed.

    Where the queue is a table of this database, the hint is written along with the rows that it
    is about: a second commit would cost as much as the first. Elsewhere it leaves after the
    commit, and a broker that does not answer is logged and no reason to fail: all is stored.
    """
    if Conf.ORM:
        _queue(task, *args)
    else:
        # A lambda: where a robust hook fails, Django asks for its name, which a partial has not.
        transaction.on_commit(lambda: _queue(task, *args), robust=True)


def hint_watcher(task: str) -> None:
    """Have a worker run ``task``, which looks for all that is due by `watch`.

    It goes on looking for a while, so of many hints in a second one is given: a task for each
    row would cost more than the row.
    """
    if _is_told(task) and transaction.get_autocommit():
        return  # all is committed, and covered
    began = time.monotonic()
    along = bool(Conf.ORM) and not _is_told(task)
    if along:
        _queue(task)  # written along with the rows, as in `hint`
    transaction.on_commit(lambda: _tell(task, began if along else None), robust=True)


def watch(kind: str, look: Any) -> bool:
    """Call ``look`` until it returns True, or nobody has asked for `WATCH` seconds.

    True when the caller must hint anew: something was found, or it has been long. One a host
    looks out; the others leave a note to it and go.
    """
    note = Path(settings.DATA_DIR) / "slots" / f"{kind}.asked"
    note.parent.mkdir(parents=True, exist_ok=True)
    note.touch()
    ends = time.monotonic() + LONGEST
    while True:
        with hold_slot(kind, 1) as slot:
            if slot is None:
                return False
            while True:
                asked, now = note.stat().st_mtime, time.time()
                if look() or time.monotonic() > ends or stopping.requested():
                    return True
                if now > asked + WATCH:
                    break
                time.sleep(PAUSE)
        if note.stat().st_mtime == asked:  # else somebody asked before the slot was free again
            return False


def forget() -> None:
    """Give the next hints as if there had been none."""
    _told.clear()


def _is_told(task: str) -> bool:
    return time.monotonic() < _told.get(task, 0)


def _tell(task: str, told_at: float | None) -> None:
    """Remember a hint that is committed now; give it where none covers what was committed."""
    if told_at is None:
        if _is_told(task):
            return
        told_at = time.monotonic()
        _queue(task)
    _told[task] = told_at + COVER


def _queue(task: str, *args: Any) -> None:
    if Conf.ORM:
        async_task(task, *args)
    else:
        async_task(task, *args, broker=_broker(str(Conf.REDIS)))


@cache
def _broker(address: str) -> Broker:
    """Return the broker at this address; a new one each time would be a new connection."""
    return get_broker()
