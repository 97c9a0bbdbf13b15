"""`make bench`: how fast the engine is, held against its bars; docs/benchmarks.md explains.

Each row runs on SQLite, and on PostgreSQL with Redis where DATABASE_URL and REDIS_URL are set,
in a process, a data folder and a database of its own. Exits with 1 where a bar is missed.
"""

import argparse
import sys
from collections.abc import Sequence

from tests.bench.place import backends, environment, measure
from tests.bench.result import Result

# Each is a module of tests/bench/rows with a function measure(scale) -> list[Result].
ROWS = (
    "fanout",
    "signed",
    "expansion",
    "luma",
    "callbacks",
    "sessions",
    "fairness",
    "retries",
    "stop",
    "log",
    "export",
    "idle",
)


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Lay out as a Markdown table, which reads well in a terminal too."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "| " + " | ".join("-" * width for width in widths) + " |"
    return "\n".join([lines[0], rule, *lines[1:]])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS, metavar="ROW")
    parser.add_argument("--on", nargs="+", choices=list(backends()), default=list(backends()))
    parser.add_argument(
        "--scale", type=float, default=1.0, help="share of each row's size; bars are for 1"
    )
    options = parser.parse_args()
    found: list[tuple[str, Result]] = []
    for name in options.on:
        for row in options.rows:
            print(f"{name}: {row} …", file=sys.stderr, flush=True)
            with environment(*backends()[name]) as environ:
                results = measure(row, environ, ["--scale", str(options.scale)])
            found += [(name, result) for result in results]
    head = ("on", "what", "measured", "bar", "", "of")
    print(table([head, *((name, *result.cells()) for name, result in found)]))
    return 0 if all(result.met for _, result in found) else 1


if __name__ == "__main__":
    sys.exit(main())
