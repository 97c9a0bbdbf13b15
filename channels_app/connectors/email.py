"""E-mail over Django's mail backend, which EMAIL_URL configures for the installation."""

import logging
import smtplib
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import formataddr, parseaddr
from time import monotonic

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.validators import validate_email
from django.utils.encoding import punycode

from channels_app.connectors.base import (
    BatchConnector,
    Credentials,
    Receipt,
    Rejected,
    Setting,
    Unavailable,
    Verdict,
    register,
)
from channels_app.http.headers import storable
from channels_app.models import Delivery
from channels_app.payload import html, plain_text

log = logging.getLogger(__name__)

SUBJECT_MAX = 200  # characters
# Seconds that one batch may take. A mail server that crawls would else outlast the leases.
BATCH_BUDGET = 45.0
_PAGE = '<!doctype html><html><head><meta charset="utf-8"></head><body>{}</body></html>'


@register
class Email(BatchConnector):
    """One message to one address; a batch shares one connection to the mail server."""

    kind = "email"
    label = "E-mail"
    login_is_address = False
    can_be_checked = True
    settings = (
        Setting(
            "from_address",
            "From address",
            kind="email",
            required=False,
            help="Empty is the installation's own.",
        ),
        Setting("from_name", "From name", required=False, help="Shown beside the address."),
        Setting(
            "subject",
            "Subject",
            required=False,
            help="For messages that bring none of their own.",
        ),
    )

    def deliver(
        self, deliveries: Sequence[Delivery], credentials: Credentials, now: datetime
    ) -> list[Verdict]:
        batch = _Batch(credentials)
        try:
            return [batch.send(delivery) for delivery in deliveries]
        finally:
            batch.hang_up()

    def reach(self, credentials: Credentials) -> str:
        batch = _Batch(credentials)
        try:
            batch.dial()
        finally:
            batch.hang_up()
        return "The mail server answers."


class _Batch:
    """The messages of one batch, over one connection that is made again where it breaks."""

    def __init__(self, credentials: Credentials) -> None:
        self._settings = credentials.settings
        self._sender = _sender(credentials)
        self._ends = monotonic() + BATCH_BUDGET
        self._connection: BaseEmailBackend | None = None
        self._dead: Unavailable | None = None

    def send(self, delivery: Delivery) -> Verdict:
        """Send one message. What goes wrong with it leaves the rest of the batch alone."""
        try:
            self._hand_over(self._message(delivery))
        except (Rejected, Unavailable) as verdict:
            return verdict
        except ValueError:
            log.exception("A message could not be put into an e-mail.")
            return Rejected("The message can't be put into an e-mail.")
        except Exception:
            log.exception("An e-mail could not be sent.")
            self.hang_up()
            return Unavailable("The message could not be handed to the mail server.")
        return Receipt()

    def dial(self) -> BaseEmailBackend:
        """Return the open connection. A server that can't be reached is not tried twice."""
        if self._dead:
            raise self._dead
        if monotonic() > self._ends:
            raise Unavailable(
                "The mail server was too slow for the whole batch.", retry_after=timedelta()
            )
        if self._connection is None:
            try:
                connection = get_connection()
                connection.open()
            except smtplib.SMTPAuthenticationError as error:
                self._dead = Unavailable("The mail server refused the login.")
                raise self._dead from error
            except (smtplib.SMTPException, OSError) as error:
                self._dead = Unavailable("The mail server could not be reached.")
                raise self._dead from error
            self._connection = connection
        return self._connection

    def hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()

    def _hand_over(self, message: EmailMultiAlternatives) -> None:
        connection = self.dial()
        try:
            connection.send_messages([message])
        except smtplib.SMTPRecipientsRefused as error:
            ((code, words),) = error.recipients.values()
            raise self._judged(code, words) from error
        except smtplib.SMTPSenderRefused as error:
            # Concerns the channel's own address, which its owner can mend.
            self.hang_up()
            raise Unavailable(_answer(error.smtp_code, error.smtp_error)) from error
        except smtplib.SMTPResponseException as error:
            raise self._judged(error.smtp_code, error.smtp_error) from error
        except (smtplib.SMTPException, OSError) as error:
            self.hang_up()
            raise Unavailable("The connection to the mail server broke.") from error

    def _judged(self, code: int, words: bytes | str) -> Rejected | Unavailable:
        if 500 <= code < 600:
            return Rejected(_answer(code, words))
        self.hang_up()  # after a 421 the connection is gone, and after others it may be
        return Unavailable(_answer(code, words))

    def _message(self, delivery: Delivery) -> EmailMultiAlternatives:
        """Build the message; raises Rejected when its address or text can't be put into one."""
        try:
            validate_email(delivery.address)
        except ValidationError as error:
            raise Rejected("The address is not an e-mail address.") from error
        payload = delivery.payload
        subject = payload.get("subject") or payload.get("title") or self._settings.get("subject")
        domain = parseaddr(self._sender)[1].rpartition("@")[2] or "localhost"
        message = EmailMultiAlternatives(
            subject=_one_line(subject or "") or "A message for you",
            body=storable(plain_text(payload)),
            from_email=self._sender,
            to=[delivery.address],
            headers={
                # The same over all tries, so that a mail server can tell a repeat.
                "Message-ID": f"<{delivery.public_id}@{domain}>",
                "Auto-Submitted": "auto-generated",
            },
        )
        message.attach_alternative(_PAGE.format(html(payload)), "text/html")
        return message


def _sender(credentials: Credentials) -> str:
    address = credentials.settings.get("from_address")
    default_name, default_address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    name = credentials.settings.get("from_name") or ("" if address else default_name)
    local, _, domain = (address or default_address).rpartition("@")
    return formataddr((_one_line(name), f"{local}@{punycode(domain)}"))


def _one_line(text: str) -> str:
    """Leave nothing that could end a header's line."""
    plain = "".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in text)
    return storable(" ".join(plain.split()))[:SUBJECT_MAX]


def _answer(code: int, words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return f"The mail server answered {code}: {_one_line(text)}"[:200]
