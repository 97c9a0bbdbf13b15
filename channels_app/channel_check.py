"""Trying a channel's connection without sending anyone anything."""

from dataclasses import dataclass

from django.utils import timezone

from channels_app.connectors.base import (
    BatchConnector,
    Credentials,
    HttpConnector,
    Rejected,
    Unavailable,
    connector_for,
)
from channels_app.exit import policy_for
from channels_app.http import TransportError, fetch
from channels_app.models import Channel
from project.access.audit import Actor, record

CHECK_TIMEOUT = 10.0  # seconds; a person waits for it


@dataclass(frozen=True, slots=True)
class Check:
    ok: bool
    words: str


def check_connection(channel: Channel, *, by: Actor) -> Check:
    """Try the connection and say in words, fit for people, what was found."""
    try:
        found = Check(True, _try_out(channel))
    except (Rejected, Unavailable, TransportError) as error:
        found = Check(False, str(error))
    record(by, "channel.check", tenant=channel.tenant, target=channel, ok=found.ok)
    return found


def _try_out(channel: Channel) -> str:
    connector, credentials = connector_for(channel.kind), Credentials.of(channel)
    if not connector.can_be_checked:
        return "There is nothing to check."
    if isinstance(connector, HttpConnector):
        request = connector.probe(credentials, timezone.now())
        response = fetch(request._replace(timeout=CHECK_TIMEOUT), policy_for(channel))
        return f"{connector.probed(response)} It took {response.elapsed * 1000:.0f} ms."
    if isinstance(connector, BatchConnector):
        return connector.reach(credentials)
    raise TypeError(f"{connector.kind} is no connector that can be checked.")
