"""An agent's desk: the console as a browser asks for it."""

import re
import uuid
from dataclasses import dataclass
from html import unescape
from typing import Any

from django.http import HttpResponse
from django.test import Client

from channels_app.models import Agent, Session

CONSOLE = "/admin/channels_app/session/console/"


@dataclass(frozen=True)
class Desk:
    agent: Agent
    client: Client

    def page(self, session: Session | None = None) -> str:
        """Open the console, or one session in it; returns what it shows."""
        where = {"session": str(session.public_id)} if session else {}
        response = self.client.get(CONSOLE, where)
        assert response.status_code == 200, response.content
        return response.content.decode()

    def live(self, session: Session | None = None, version: str = "", **more: Any) -> Any:
        """Look for what has changed since a version."""
        asked = {"row": session.pk if session else "", "version": version, **more}
        return self.client.get(f"{CONSOLE}live/", asked)

    def do(self, deed: str, at: Session | None = None, **fields: Any) -> Any:
        """Press a button of a live page."""
        path = f"{CONSOLE}{at.public_id}/{deed}/" if at else f"{CONSOLE}{deed}/"
        return self.client.post(path, fields, headers={"X-Console": "live"})

    def say(self, session: Session, text: str = "", **fields: Any) -> Any:
        return self.do("say", session, **{"text": text, "token": str(uuid.uuid4()), **fields})

    def has(self, session: Session) -> Session:
        """Have the agent join the session; returns it as it stands then."""
        assert problem(self.do("join", session)) == ""
        session.refresh_from_db()
        return session


def part(html: str | HttpResponse, name: str) -> str:
    """The words of one part of the console, without its tags."""
    html = html if isinstance(html, str) else html.content.decode()
    found = re.search(rf'<(div|ol)\b[^>]*data-part="{name}".*?(?=data-part=|\Z)', html, re.DOTALL)
    assert found, f"no part {name} in {html}"
    return " ".join(unescape(re.sub(r"<[^>]*>?", " ", found[0])).split())


def version(html: str | HttpResponse) -> str:
    html = html if isinstance(html, str) else html.content.decode()
    found = re.search(r'data-version="(\w+)"', html)
    assert found
    return found[1]


def problem(response: HttpResponse) -> str:
    """What a deed was refused with; empty where it was done."""
    found = re.search(r'data-problem="([^"]*)"', response.content.decode())
    return unescape(found[1]) if found else ""
