"""The console over HTTP, as a browser asks for it: signed in by the form."""

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import requests

from tests.support.installation import Installation, Running

_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@contextmanager
def web() -> Iterator[tuple[Installation, Running]]:
    """The web server, started as `manage.py run` starts it, on this row's database."""
    from django.db import connections

    hub = Installation(Path(os.environ["CARILLON_DATA"]), os.environ["DATABASE_URL"])
    hub.must("prepare")
    connections.close_all()
    try:
        running = hub.start("web")
        wait_until_it_answers(hub.url)
        yield hub, running
    finally:
        hub.end()


def wait_until_it_answers(url: str, seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while True:
        try:
            requests.get(f"{url}/admin/login/", timeout=10).raise_for_status()
        except requests.ConnectionError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)
        else:
            return


def passwords() -> dict[str, str]:
    """The demo's people and their passwords."""
    from django.core.management import call_command

    said = StringIO()
    call_command("demo", "--json", stdout=said)
    known = json.loads(said.getvalue())
    return {name: known[name]["password"] for name in ("admin", "auditor")}


def signed_in(url: str, username: str, password: str) -> requests.Session:
    """A session of this person; raises where the form lets nobody in."""
    session = requests.Session()
    page = session.get(f"{url}/admin/login/", timeout=30)
    found = _TOKEN.search(page.text)
    assert found, page.text
    answer = session.post(
        f"{url}/admin/login/?next=/admin/",
        {"username": username, "password": password, "csrfmiddlewaretoken": found[1]},
        headers={"Referer": page.url},
        timeout=30,
    )
    assert answer.url == f"{url}/admin/", f"{username} was not let in: {answer.url}"
    return session
