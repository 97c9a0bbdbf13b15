"""Two hundred live sessions: how soon an agent sees what a contact says, and the other way round.

Ten messages a second come in, each of twenty agents replies every eight seconds, and their consoles
look as often as the page does. A message's way is from its 202 to the answer that
shows it, a reply's from the click to the callback at the receiver.
"""

import os
import random
import re
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from threading import Event as Signal
from typing import Any

import requests

from tests.bench.result import Result
from tests.support.installation import Installation
from tests.support.receiver import Receiver

AGENTS, SESSIONS = 20, 200
LOOK = 0.5  # seconds between two looks of a console: static/carillon/console.js
SAYS, REPLIES = 20.0, 8.0  # seconds between two messages of a session, two replies of an agent
SECONDS, SHORTEST = 40, 10
ARRIVES = 10.0  # seconds in which whatever was said has arrived
CONSOLE = "/admin/channels_app/session/console"

_WORD = re.compile(r"\b[cr][0-9a-f]{12}\b")
_PART = re.compile(r'<div id="answer" data-version="(\w+)"')
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
_MESSAGE = re.compile(r'data-id="(\d+)"')


class Clocks:
    """When each word was said, and when it first arrived. As time.monotonic."""

    def __init__(self) -> None:
        self.said: dict[str, float] = {}
        self.came: dict[str, float] = {}
        self.wrong: list[str] = []

    def arrived(self, text: str) -> None:
        now = time.monotonic()
        for word in _WORD.findall(text):
            self.came.setdefault(word, now)

    def took(self, kind: str) -> list[float]:
        words = [word for word in self.said if word.startswith(kind)]
        return [max(0.0, self.came[w] - self.said[w]) for w in words if w in self.came]

    def lost(self) -> int:
        return len(self.said.keys() - self.came.keys())


def measure(scale: float) -> list[Result]:
    clocks, over = Clocks(), Signal()
    with Receiver() as receiver, _hub() as hub:
        server, seats = _world(hub, f"{receiver.url}alvaria")
        with ThreadPoolExecutor(4 * AGENTS) as pool:
            work: list[Callable[[], None]] = [
                *(lambda seat=seat: seat.look(clocks, over) for seat in seats),
                *(lambda seat=seat: seat.reply(clocks, over) for seat in seats),
                *(lambda some=some: server.talk(some, clocks, over) for some in server.shares()),
            ]
            running = [pool.submit(each) for each in work]
            time.sleep(max(SECONDS * scale, SHORTEST))
            over.set()
            for each in running:
                each.result()
        for request in receiver.requests:
            clocks.came.update(
                dict.fromkeys(_WORD.findall(request.body.decode()), _monotonic(request.at))
            )
    seen, told = clocks.took("c"), clocks.took("r")
    return [
        _p95("message accepted to agent's screen, p95", seen),
        _p95("agent's reply to callback, p95", told),
        Result("answers that were wrong", len(clocks.wrong), "", bar=0, sense="at_most"),
        Result("said and not arrived", clocks.lost(), "", bar=0, sense="at_most"),
    ]


def _p95(what: str, took: list[float]) -> Result:
    *_, p95 = quantiles(took, n=20)
    note = f"{len(took)}, of {SESSIONS} live sessions; median {median(took):.2f} s"
    return Result(what, p95, "s", bar=1, sense="at_most", note=note)


def _monotonic(at: Any) -> float:
    return float(time.monotonic() - (time.time() - at.timestamp()))


class Seat:
    """An agent before the console, which shows the first of their sessions."""

    def __init__(self, hub: Installation, cookie: str, shown: Any) -> None:
        self.url = f"{hub.url}{CONSOLE}"
        self.shown = shown
        self._cookies = {f"carillon_session_{hub.port}": cookie}

    def look(self, clocks: Clocks, over: Signal) -> None:
        with self._browser() as browser:
            version, since = "", 0
            ends: float | None = None
            while ends is None or time.monotonic() < ends:
                query = {"row": self.shown.pk, "version": version, "since": since, "read": since}
                answer = browser.get(f"{self.url}/live/", params=query, timeout=30)
                if answer.status_code == 200 and (found := _PART.search(answer.text)):
                    clocks.arrived(answer.text)
                    version = found[1]
                    since = max([since, *map(int, _MESSAGE.findall(answer.text))])
                elif answer.status_code != 204:
                    clocks.wrong.append(f"look: {answer.status_code}")
                time.sleep(LOOK)
                if over.is_set() and ends is None:
                    ends = time.monotonic() + ARRIVES

    def reply(self, clocks: Clocks, over: Signal) -> None:
        with self._browser() as browser:
            page = browser.get(f"{self.url}/?session={self.shown.public_id}", timeout=30)
            token = _TOKEN.search(page.text)
            if token is None:
                clocks.wrong.append(f"page: {page.status_code}")
                return
            while not over.wait(random.uniform(0, 2 * REPLIES)):
                word = f"r{uuid.uuid4().hex[:12]}"
                clocks.said[word] = time.monotonic()
                answer = browser.post(
                    f"{self.url}/{self.shown.public_id}/say/",
                    {
                        "csrfmiddlewaretoken": token[1],
                        "token": str(uuid.uuid4()),
                        "session": str(self.shown.public_id),
                        "text": f"Reply {word}",
                    },
                    headers={"Referer": self.url},
                    timeout=30,
                )
                if answer.status_code != 200 or "data-problem" in answer.text:
                    clocks.wrong.append(f"say: {answer.status_code}")

    def _browser(self) -> requests.Session:
        browser = requests.Session()
        browser.cookies.update(self._cookies)
        browser.headers["X-Console"] = "live"
        return browser


class Server:
    """The custom server, which says what its contacts say."""

    def __init__(self, hub: Installation, org_id: str, made: Any, sessions: list[Any]) -> None:
        self.url = f"{hub.url}/via/v2/organizations/{org_id}/serverMessaging/message"
        self.sessions = sessions
        asked = {"grant_type": "client_credentials", "realm": org_id}
        answer = requests.post(
            f"{hub.url}/tokenservice/oauth2/access_token",
            asked,
            auth=(made.client_id, made.client_secret),
            timeout=30,
        )
        token = answer.json()["access_token"]
        self.headers = {"Authorization": f"Bearer {token}", "x-api-key": made.api_key}

    def shares(self) -> list[list[Any]]:
        """The sessions of each agent; the first of them is the one that the console shows."""
        each = SESSIONS // AGENTS
        return [self.sessions[start : start + each] for start in range(0, SESSIONS, each)]

    def talk(self, sessions: list[Any], clocks: Clocks, over: Signal) -> None:
        """Say something, every third time in the session that is shown.

        Of the others a console shows the last words only, so those are not timed.
        """
        shown, pause = sessions[0], SAYS / len(sessions)
        with requests.Session() as line:
            while not over.wait(random.uniform(0, 2 * pause)):
                session = shown if random.random() < 1 / 3 else random.choice(sessions[1:])
                word = f"{'c' if session is shown else 'b'}{uuid.uuid4().hex[:12]}"
                headers = {**self.headers, "server-messaging-session-id": str(session.public_id)}
                body = {"text": f"{word} and so on"}
                answer = line.post(self.url, json=body, headers=headers, timeout=30)
                if answer.status_code == 202:
                    if session is shown:
                        clocks.said[word] = time.monotonic()
                else:
                    clocks.wrong.append(f"message: {answer.status_code}")


@contextmanager
def _hub() -> Iterator[Installation]:
    hub = Installation(Path(os.environ["CARILLON_DATA"]), os.environ["DATABASE_URL"])
    hub.must("prepare")
    try:
        yield hub
    finally:
        hub.end()


def _world(hub: Installation, callback: str) -> tuple[Server, list[Seat]]:
    """Make the agents, each with their sessions in hand, and start the hub."""
    from django.contrib.auth.models import Group
    from django.contrib.sessions.backends.db import SessionStore
    from django.db import connections

    from channels_app.models import Session
    from channels_app.sessions.services import bring_up, join, open_session
    from project.access.models import User
    from project.access.oauth import issue_credentials
    from tests.support.alvaria import (
        BY,
        make_agent,
        make_api_client,
        make_callbacks,
        make_work_type,
    )
    from tests.support.channels import make_tenant

    tenant = make_tenant("Bench", is_demo=True)
    channel, billing = make_callbacks(tenant, callback), make_work_type(tenant)
    client = make_api_client(tenant, rate_limit=0)
    seats, sessions = [], []
    each = SESSIONS // AGENTS
    for number in range(AGENTS):
        user = User.objects.create(username=f"agent{number}", tenant=tenant, is_staff=True)
        user.set_unusable_password()
        user.save()
        user.groups.add(Group.objects.get(name="Agent"))
        agent = make_agent(user, billing, alias=f"Agent {number}", capacity=each)
        theirs = []
        for place in range(each):
            name = f"Contact {number}.{place}"
            opened = open_session(channel, client=client, work_type="32", contact_name=name)
            bring_up(opened.pk)
            theirs.append(join(Session.objects.get(pk=opened.pk), agent=agent))
        store = SessionStore()
        store["_auth_user_id"] = str(user.pk)
        store["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
        store["_auth_user_hash"] = user.get_session_auth_hash()
        store.save()
        seats.append(Seat(hub, str(store.session_key), theirs[0]))
        sessions += theirs
    made = issue_credentials(client, by=BY)
    connections.close_all()
    hub.start("run").wait_until_it_says("Carillon is up")
    return Server(hub, tenant.org_id, made, sessions), seats
