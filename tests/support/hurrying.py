"""What `tests.support.hurried` asks for, done where Django has loaded everything."""

import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import time_machine
from django.apps import AppConfig

KILL = "This text kills."


class Hurrying(AppConfig):
    name = "tests.support"
    label = "hurrying"

    def ready(self) -> None:
        from channels_app.connectors.webhook import Webhook
        from channels_app.dispatch import claims, hand, retry

        if lease := os.environ.get("CARILLON_TEST_LEASE"):
            for module in (claims, hand):  # each has read it already
                vars(module)["LEASE"] = timedelta(seconds=float(lease))
        if pace := os.environ.get("CARILLON_TEST_PACE"):
            retry.STEPS = tuple(step / float(pace) for step in retry.STEPS)

        if clocks := os.environ.get("CARILLON_TEST_CLOCKS"):
            follow_clock(Path(clocks))
            os.register_at_fork(after_in_child=lambda: follow_clock(Path(clocks)))

        build = Webhook.request

        def request(self: Any, delivery: Any, credentials: Any, now: datetime) -> Any:
            if delivery.payload.get("text") == KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            return build(self, delivery, credentials, now)

        Webhook.request = request  # type: ignore[method-assign]


def follow_clock(clocks: Path) -> None:
    """Set this process's clock by what a file of its number says, and remove the file."""
    said = clocks / str(os.getpid())

    def follow() -> None:
        while not (said.exists() and said.read_text()):
            time.sleep(0.02)
        step = timedelta(seconds=float(said.read_text()))
        time_machine.travel(datetime.now(UTC) + step, tick=True).start()
        said.unlink()

    threading.Thread(target=follow, daemon=True).start()
