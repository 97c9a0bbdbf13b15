"""Hints to the workers. What is to be done is in the rows; the sweep heals a lost hint."""

from typing import Any

from django.db import transaction
from django_q.conf import Conf
from django_q.tasks import async_task


def hint(task: str, *args: Any) -> None:
    """Have a worker run ``task``, a dotted path, once the current transaction is committed.

    Where the queue is a table of this database, the hint is written along with the rows that it
    is about: a second commit would cost as much as the first. Elsewhere it leaves after the
    commit, and a broker that does not answer is logged and no reason to fail: all is stored.
    """
    if Conf.ORM:
        async_task(task, *args)
    else:
        # A lambda: where a robust hook fails, Django asks for its name, which a partial has not.
        transaction.on_commit(lambda: async_task(task, *args), robust=True)
