"""A mail server on loopback that keeps what it is given and can be told to refuse.

    with MailServer(rcpt={"gone@acme.example": "550 no such user"}) as server:
        ...
        assert server.messages[0]["Subject"] == "Hello"

Answers are given by address (RCPT), by number of the message (DATA, from 1) or for all senders.
"""

import socketserver
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from time import sleep
from types import TracebackType
from typing import Self

HANG_UP = ""  # as an answer: close the connection without a word


@dataclass(frozen=True, slots=True)
class Mail:
    """What one transaction brought: the envelope and the bytes of the message."""

    sender: str
    recipients: list[str]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


class MailServer:
    """Listens on a free port of 127.0.0.1."""

    def __init__(
        self,
        *,
        greeting: str = "220 mail.test ready",
        mail_from: str = "250 ok",
        rcpt: Mapping[str, str] | None = None,
        data: Mapping[int, str] | None = None,
        delay: float = 0.0,
    ) -> None:
        self.greeting = greeting
        self.mail_from = mail_from
        self.rcpt = rcpt or {}
        self.data = data or {}
        self.delay = delay  # seconds before each message is accepted
        self.mails: list[Mail] = []
        self.connections = 0
        self.offered = 0
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def messages(self) -> list[EmailMessage]:
        return [mail.message for mail in self.mails]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _handler(self) -> type[socketserver.StreamRequestHandler]:
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                server.connections += 1
                _converse(server, self)

        return Handler


def _converse(server: MailServer, line: socketserver.StreamRequestHandler) -> None:
    """Speak as much of RFC 5321 as smtplib asks for."""
    sender = ""
    recipients: list[str] = []
    if not _say(line, server.greeting):
        return
    for raw in line.rfile:
        verb, _, rest = raw.decode("latin-1").strip().partition(" ")
        address = rest.partition("<")[2].partition(">")[0]
        answer = "250 ok"
        match verb.upper():
            case "MAIL":
                sender, recipients, answer = address, [], server.mail_from
            case "RCPT":
                answer = server.rcpt.get(address, answer)
                if answer.startswith("250"):
                    recipients.append(address)
            case "DATA":
                _say(line, "354 go on")
                body = _body(line)
                server.offered += 1
                sleep(server.delay)
                answer = server.data.get(server.offered, answer)
                if answer.startswith("250"):
                    server.mails.append(Mail(sender, recipients, body))
            case "QUIT":
                _say(line, "221 bye")
                return
        if not _say(line, answer) or answer.startswith("421"):
            return


def _say(line: socketserver.StreamRequestHandler, answer: str) -> bool:
    """Send one answer; False when it is to hang up instead."""
    if answer != HANG_UP:
        line.wfile.write(answer.encode() + b"\r\n")
    return answer != HANG_UP


def _body(line: socketserver.StreamRequestHandler) -> bytes:
    lines = []
    for raw in line.rfile:
        if raw.rstrip(b"\r\n") == b".":
            break
        lines.append(raw.removeprefix(b"."))
    return b"".join(lines)
