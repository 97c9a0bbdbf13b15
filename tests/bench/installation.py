"""What several rows need: workers, a fast receiver, deliveries in the queue."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.bench.place import ROOT
from tests.support.installation import free_port

_NGINX = """
worker_processes 1;
daemon off;
pid {folder}/pid;
error_log {folder}/error crit;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        default_type application/json;
        location / {{ return 200 '{{"ok":true}}'; }}
    }}
}}
"""


@contextmanager
def nginx() -> Iterator[str]:
    """An nginx of the bench's own that answers 200 to whatever comes; yields its address."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        sys.exit("The bench needs nginx. On Debian and Ubuntu: apt-get install nginx-light")
    with tempfile.TemporaryDirectory(prefix="carillon-nginx-") as folder:
        Path(folder).chmod(0o755)
        port = free_port()
        written = Path(folder) / "nginx.conf"
        written.write_text(_NGINX.format(folder=folder, port=port))
        server = subprocess.Popen([program, "-e", f"{folder}/error", "-c", str(written)])
        try:
            time.sleep(0.5)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(10)


@contextmanager
def workers(**more: str) -> Iterator[subprocess.Popen[bytes]]:
    """`manage.py worker`, as an operator starts it; ``more`` goes to its environment."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "worker"], cwd=ROOT, env={**os.environ, **more}
    )
    try:
        time.sleep(4)  # django-q2 has started, and swept once
        yield process
    finally:
        process.terminate()
        process.wait(60)


def demo(callback: str) -> Any:
    """Make the demo with its webhook channel posting to ``callback``; returns that channel."""
    from django.core.management import call_command

    from channels_app.models import Channel

    with Path(os.devnull).open("w") as nowhere:
        call_command("demo", callback_url=callback, stdout=nowhere)
    return Channel.objects.select_related("tenant").get(name="Webhook")


def queue(channel: Any, pk: int, count: int, **more: Any) -> None:
    """Put ``count`` deliveries of the origin ("bench", ``pk``) into the queue, without a hint."""
    from django.utils import timezone

    from channels_app.models import Delivery
    from channels_app.services import enqueue, open_books

    now: datetime = timezone.now()
    open_books(channel.tenant, "bench", pk)
    # All at one moment, as an expansion makes them.
    fields = {"due_at": now, "created_at": now, "deadline": now + timedelta(hours=4), **more}
    for start in range(0, count, 5000):
        rows = [
            Delivery(
                tenant=channel.tenant,
                channel=channel,
                origin_kind="bench",
                origin_id=pk,
                recipient_id=number,
                recipient=f"u{number}@load.example",
                address=f"u{number}@load.example",
                payload={"type": "TEXT", "text": f"Hello {number}"},
                **fields,
            )
            for number in range(start, min(count, start + 5000))
        ]
        enqueue(rows, kind="bench", pk=pk)


@contextmanager
def resting(channel: Any) -> Iterator[None]:
    """The engine leaves the channel's rows alone, until the end of the block."""
    from channels_app.models import Channel

    rows = Channel.objects.filter(pk=channel.pk)
    rows.update(is_active=False)
    yield
    rows.update(is_active=True)


def settled(pk: int, *, seconds: float = 900) -> None:
    """Wait until nothing of the origin is queued or sending."""
    from channels_app.models import Tally

    ends = time.monotonic() + seconds
    while Tally.objects.get(origin_kind="bench", origin_id=pk).open:
        if time.monotonic() > ends:
            raise TimeoutError(f"origin {pk} was not settled in {seconds} s")
        time.sleep(0.05)
