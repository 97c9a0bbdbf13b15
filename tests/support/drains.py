"""Dispatch loops that are started again at once: ``python -m tests.support.drains 3``.

A process that has loaded Django forks so many others, which run the task `drain` again and again
as django-q2's workers do, and replaces whichever ends.
"""

import os
import sys
import time

import django


def work() -> None:
    from channels_app.tasks import drain

    while True:
        drain()
        time.sleep(0.1)


def main(count: int) -> None:
    django.setup()
    from project.parent import tie_forks

    tie_forks()
    running: set[int] = set()
    while True:
        while len(running) < count:
            pid = os.fork()
            if not pid:
                try:
                    work()
                finally:
                    os._exit(1)
            running.add(pid)
        ended, _ = os.wait()
        running.discard(ended)


if __name__ == "__main__":
    main(int(sys.argv[1]))
