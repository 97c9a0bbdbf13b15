"""What a connector is: the one place that knows a channel kind's wire.

A connector opens no socket, saves no model and retries nothing. The dispatch engine runs it, a
test feeds it the bytes of the vendor's document. docs/connectors.md says how to add one.
"""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, TypeAlias

from channels_app.http import HttpRequest, HttpResponse
from channels_app.models import Channel, Delivery


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that a channel of this kind is told; the admin's form is drawn from these."""

    name: str
    label: str
    help: str = ""
    required: bool = True
    secret: bool = False  # kept encrypted, never shown again
    # key: an RSA private key in PEM; public_key: the public half of one
    kind: Literal["text", "url", "email", "number", "key", "public_key"] = "text"
    generate: bool = False  # a secret that is made when none is given
    shared: bool = False  # a generated secret that the far end holds too: shown once
    # In a rotation the old one (kept as ``old_<name>`` until ``old_<name>_until``) stays good for
    # a while.
    overlaps: bool = False
    # Names that may stand in a URL in braces, for what the connector puts there.
    placeholders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Credentials:
    """A channel's settings and opened secrets, as a connector sees them."""

    settings: Mapping[str, Any]
    secrets: Mapping[str, str] = field(repr=False)
    organisation: str = ""  # the tenant's external ID
    org_id: str = ""  # the same tenant, as Alvaria and Salesforce name it
    token: str = field(default="", repr=False)  # where the connector needs one

    @classmethod
    def of(cls, channel: Channel) -> "Credentials":
        """Open the channel's secrets; costs a decryption, so keep the result."""
        return cls(
            settings=channel.settings,
            secrets=channel.secrets,
            organisation=str(channel.tenant.external_id),
            org_id=channel.tenant.org_id,
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """The far end took it. ``vendor_id`` is its own name for the message, where it gives one."""

    vendor_id: str = ""


@dataclass(frozen=True, slots=True)
class Onward:
    """One step of several is done; the next one is due after ``wait``, or when it is called.

    ``vendor_id``: the far end's name for what the step has made.
    """

    vendor_id: str
    wait: timedelta


class Rejected(Exception):
    """The same request can never succeed."""


class Gone(Rejected):
    """Nor can any other: the receiver wants no more messages. Its channel is put to rest."""


class Unavailable(Exception):
    """Not now; trying again may succeed. ``retry_after`` is what the far end asked for."""

    # It is an answer of an endpoint that works, and nothing that its channel is paused for.
    answered: ClassVar[bool] = False

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TokenRefused(Unavailable):
    """The access token is good no more: another one is fetched (vendor_tokens.py)."""


Verdict: TypeAlias = Receipt | Onward | Rejected | Unavailable


@dataclass(frozen=True, slots=True)
class Token:
    """An access token that the far end gave, good for ``lifetime`` from when it was asked for."""

    value: str = field(repr=False)
    lifetime: timedelta


class Connector(ABC):
    kind: ClassVar[str]
    label: ClassVar[str]
    # True: a person without an address of this kind is reached by the login.
    login_is_address: ClassVar[bool] = True
    settings: ClassVar[Sequence[Setting]] = ()
    # True: the connection can be tried without sending anyone anything.
    can_be_checked: ClassVar[bool] = False

    def new_secret(self, name: str) -> str:
        """Make the generated secret of that name."""
        return secrets.token_urlsafe(32)


class HttpConnector(Connector):
    """A channel whose message is one HTTP request."""

    # True: a request carries an access token (Credentials.token), shared by all workers.
    needs_token: ClassVar[bool] = False

    @abstractmethod
    def request(self, delivery: Delivery, credentials: Credentials, now: datetime) -> HttpRequest:
        """Say what to send. Raises Rejected when this delivery can't be put into a request."""

    @abstractmethod
    def receipt(self, response: HttpResponse) -> Receipt:
        """Say what the answer means. Raises Rejected or Unavailable."""

    def judge(self, delivery: Delivery, response: HttpResponse) -> Receipt | Onward:
        """Say what the answer means for this delivery. Raises Rejected or Unavailable."""
        return self.receipt(response)

    def token_request(self, credentials: Credentials, now: datetime) -> HttpRequest:
        """Say how to ask for an access token, where ``needs_token``."""
        raise NotImplementedError

    def token(self, response: HttpResponse) -> Token:
        """Read the answer to ``token_request``. Raises Rejected or Unavailable."""
        raise NotImplementedError

    def probe(self, credentials: Credentials, now: datetime) -> HttpRequest:
        """Say what to send to try the connection, where ``can_be_checked``."""
        raise NotImplementedError

    def probed(self, response: HttpResponse) -> str:
        """Say in words what the answer to the probe shows. Raises Rejected or Unavailable."""
        self.receipt(response)
        return f"It answered {response.status}."


class SteppedConnector(HttpConnector):
    """A channel whose message takes several requests, one after another: each is a try.

    It still opens no socket, but looks into the database where the engine lets it, for what the
    steps before have brought. A step that is done is a verdict `Onward`.
    """

    @abstractmethod
    def prepare(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        """Set ``prepared`` of these deliveries of one channel, for ``request`` and ``judge``.

        Called once for all that was claimed together, before any request is built.
        """

    @abstractmethod
    def settling(self, tries: Sequence[tuple[Delivery, Verdict]]) -> None:
        """Lock what `settled` is about to write, in the transaction, before the deliveries' rows.

        Whoever does a deed in a session takes these rows first and the deliveries' books later;
        the other way round the two would wait for each other for ever.
        """

    @abstractmethod
    def settled(self, tries: Sequence[tuple[Delivery, Verdict]]) -> None:
        """Write down what these tries mean beside their deliveries' states.

        Called in the transaction that settles them; it may come twice for a try, and for one that
        came too late, whose row is another worker's by then.
        """


class BatchConnector(Connector):
    """A channel that is not HTTP and takes many messages at once.

    ``transactional``: what it does are rows of this database, so the engine calls it inside the
    transaction that settles the batch; else it is called in a thread and may block.
    """

    transactional: ClassVar[bool] = False

    @abstractmethod
    def deliver(
        self, deliveries: Sequence[Delivery], credentials: Credentials, now: datetime
    ) -> list[Verdict]:
        """Send all; return one verdict for each that was iterated over, in order. Must not raise.

        In a thread, ask for the next only once the one before is sent: each is timed by that, and
        the iteration ends early where the worker stops.
        """

    def reach(self, credentials: Credentials) -> str:
        """Try the connection, where ``can_be_checked``; say in words what it shows.

        Raises Unavailable.
        """
        raise NotImplementedError


_REGISTRY: dict[str, Connector] = {}


def register(connector: type[Connector]) -> type[Connector]:
    """Class decorator: this connector speaks for its kind."""
    _REGISTRY[connector.kind] = connector()
    return connector


def connector_for(kind: str) -> Connector:
    """Return the connector of a channel kind; raises KeyError for one that is not registered."""
    return _REGISTRY[kind]
