"""Keeping what a vendor's callback says."""

from channels_app.models.inbound import InboundEvent
from channels_app.models.statements.running import moment, on_postgres, run, together

_KEEP = """INSERT INTO channels_app_inboundevent
    (channel_id, event_id, kind, body, received_at, state, reason)
VALUES (%(channel)s, %(event_id)s, %(kind)s, {body}, %(received_at)s, %(state)s, %(reason)s)
ON CONFLICT (channel_id, event_id) DO NOTHING"""
_ON_SQLITE = _KEEP.format(body="%(body)s")
_ON_POSTGRES = _KEEP.format(body="CAST(%(body)s AS jsonb)")


def keep_event(event: InboundEvent, body: str) -> None:
    """Insert the event with this JSON as its body, unless its channel has one of that id.

    Only that is passed over: the ORM's own way would on SQLite pass over any row that breaks a
    rule, and nobody would know that it is lost.
    """
    with together():
        run(
            _ON_POSTGRES if on_postgres() else _ON_SQLITE,
            channel=event.channel_id,
            event_id=event.event_id,
            kind=event.kind,
            body=body,
            received_at=moment(event.received_at),
            state=str(event.state),
            reason=event.reason,
        )
