"""What is done once, before a process forks, so that its children share the memory of it."""

import gc
from collections.abc import Iterable
from importlib import import_module

from django.db import connections


def share_by_fork(modules: Iterable[str]) -> None:
    """Load ``modules`` here instead of in each child, and make ready to fork.

    What is loaded by then is left out of garbage collection for good: it would write to each
    object, and a page that is written to is copied.
    """
    for name in modules:
        import_module(name)
    connections.close_all()  # a connection must not be shared by fork
    gc.collect()
    gc.freeze()
