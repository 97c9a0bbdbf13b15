"""Taking a vendor's callback in: whose it is, and keeping what it says."""

from typing import NamedTuple
from uuid import UUID

from django.utils import timezone

from channels_app.models.statements.running import moment, on_postgres, together
from project import direct

_CHANNEL = """SELECT id, {key} FROM channels_app_channel
WHERE public_id = %s AND kind = %s"""
_CHANNEL_ON_SQLITE = _CHANNEL.format(key="json_extract(settings, '$.public_key')")
_CHANNEL_ON_POSTGRES = _CHANNEL.format(key="settings ->> 'public_key'")
_KEEP = """INSERT INTO channels_app_inboundevent
    (channel_id, received_at, event_id, kind, body, state, reason)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (channel_id, event_id) DO NOTHING"""
_KEEP_ON_POSTGRES = f"{_KEEP} RETURNING id"


class Callback(NamedTuple):
    """A callback as it is kept; ``body`` is JSON."""

    event_id: str
    kind: str
    body: str
    state: str
    reason: str


def callback_channel(public_id: UUID, kind: str) -> tuple[int, str] | None:
    """Return the id of the channel of this kind, and its public key; None where there is none."""
    if on_postgres():
        rows = direct.run(_CHANNEL_ON_POSTGRES, [str(public_id), kind], reads=True)
    else:
        rows = direct.run(_CHANNEL_ON_SQLITE, [public_id.hex, kind], reads=True)
    return (rows[0][0], rows[0][1] or "") if rows else None


def keep_callback(channel: int, callback: Callback) -> None:
    """Insert the callback, unless its channel has one of that id.

    Only that is passed over: the ORM's own way would on SQLite pass over any row that breaks a
    rule, and nobody would know that it is lost.
    """
    values = (channel, moment(timezone.now()), *callback)
    if on_postgres():
        direct.run(_KEEP_ON_POSTGRES, values)
    else:
        with together():  # a writer takes its turn by that
            direct.run(_KEEP, values)
