"""What processes take, by Linux's /proc: CPU time, and memory."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tests.support.installation import Running

MB = 1_000_000
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Iterable[int]) -> dict[int, float]:
    """By process: its own CPU time and that of its children that ended and were waited for."""
    found = {}
    for pid in pids:
        with suppress(OSError):  # it ended meanwhile; whoever waited for it counts it
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            found[pid] = sum(map(int, fields[11:15])) / _TICKS
    return found


def memory(pids: Iterable[int]) -> tuple[float, float]:
    """(PSS, RSS) of all together in MB.

    PSS shares a page out among those who map it, RSS counts it for each: forked processes have
    most of their pages in common.
    """
    total = {"Pss:": 0, "Rss:": 0}
    for pid in pids:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                name, *rest = line.split()
                if name in total:
                    total[name] += int(rest[0]) * 1024
    return total["Pss:"] / MB, total["Rss:"] / MB


def pids(running: Running) -> list[int]:
    """The process and all below it."""
    return [process.pid for process in running.tree()]


def taken(running: Running) -> float:
    """CPU seconds of the whole tree since it began, those included that ended meanwhile."""
    return sum(cpu_seconds(pids(running)).values())
