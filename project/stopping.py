"""Whether this installation's workers were told to stop.

django-q2 lets a task run to its end before a worker stops. Loops that linger look here instead.
"""

import mmap

# One byte that forked processes share, without a lock: a worker that is killed while it looks
# takes nothing with it that the others wait for.
_flag = mmap.mmap(-1, 1)


def request() -> None:
    """Tell this process and all that it forked, or will fork, to come to an end."""
    _flag[0] = 1


def requested() -> bool:
    return _flag[0] == 1
