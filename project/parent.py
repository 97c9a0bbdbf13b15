"""Ties a process to its parent: when that ends, even by SIGKILL, the child ends too."""

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1  # prctl(2), Linux
# Loaded once, here: a process that was just forked should load nothing.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with(parent: int, how: signal.Signals = signal.SIGTERM) -> None:
    """Have this process sent ``how`` when its parent, the process ``parent``, ends.

    Linux does that by itself, and keeps to it across exec; elsewhere a thread looks each second.
    """
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(how), 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent, how), daemon=True).start()
    if os.getppid() != parent:  # it ended before the kernel knew of the tie
        os.kill(os.getpid(), how)


def _watch(parent: int, how: signal.Signals) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), how)


def tie_forks() -> None:
    """From now on, whatever this process or a fork of it forks dies with its forker, at once.

    On Linux; elsewhere nothing happens, since a thread may not outlive a fork.
    """
    if _libc is None:
        return
    forker = 0

    def before() -> None:
        nonlocal forker
        forker = os.getpid()

    os.register_at_fork(before=before, after_in_child=lambda: end_with(forker, how=signal.SIGKILL))
