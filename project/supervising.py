"""What `manage.py run` turns into once all is prepared: a supervisor, and nothing but that.

It stays the same process, so whoever started it keeps its number. Without Django it is a tenth
as large, for as long as the installation runs.
"""

import json
import os
import socket
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from project.parent import end_with
from project.processes import Supervisor

ROOT = Path(__file__).resolve().parent.parent
# Not by `-m`, which would look where the process was started, nor by PYTHONPATH, which the
# commands would inherit. The last argument only tells `ps` what this is.
_START = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import project.supervising as s; s.main()"


@dataclass(frozen=True, slots=True)
class Plan:
    """``commands``: name to argument list; ``way_in`` is said once host and port answer."""

    commands: dict[str, list[str]]
    host: str
    port: int
    way_in: str
    parent: int | None  # with which this process ends


def become(plan: Plan) -> NoReturn:
    """Go on as the supervisor; nothing of this process is left but what it was started with."""
    sys.stdout.flush()
    sys.stderr.flush()
    # A file without a name: arguments are seen by all of the machine, and this tells a password.
    with tempfile.TemporaryFile("w+") as file:
        json.dump(asdict(plan), file)
        file.flush()
        os.set_inheritable(file.fileno(), True)
        arguments = [sys.executable, "-c", _START, str(file.fileno()), "manage.py run"]
        os.execv(sys.executable, arguments)  # noqa: S606 - our own interpreter


def main() -> None:
    with os.fdopen(int(sys.argv[1])) as file:
        file.seek(0)
        plan = Plan(**json.load(file))
    if plan.parent is not None:
        end_with(plan.parent)
    announcer = _Announcer(plan)
    Supervisor(plan.commands, out=sys.stdout, err=sys.stderr, on_turn=announcer.look).run()


class _Announcer:
    """Says how to get in, once somebody is there to answer."""

    def __init__(self, plan: Plan) -> None:
        self._way_in = plan.way_in
        host = plan.host if plan.host not in {"0.0.0.0", "::"} else "localhost"  # noqa: S104
        self._address = host, plan.port

    def look(self) -> None:
        if not self._way_in:
            return
        try:
            socket.create_connection(self._address, timeout=0.1).close()
        except OSError:
            return
        sys.stdout.write(f"\nCarillon is up; Ctrl-C stops it.\n{self._way_in.rstrip()}\n")
        sys.stdout.flush()
        self._way_in = ""
