"""Sessions that we opened on an Alvaria: what an agent of ours says and does there."""

from collections.abc import Mapping
from typing import Any

from channels_app.models import EndedBy, Event, EventKind, Message
from channels_app.models.channel import Kind
from channels_app.sessions.faces import Face, register_face
from channels_app.vendors.alvaria.face import said

DEED = "alvaria"  # the payload's key
OURS = {EndedBy.AGENT, EndedBy.LIMIT}  # ends that the far end does not know of


@register_face
class AlvariaFace(Face):
    """Told are messages, and the end where it was ours: the document's two operations.

    The far session's name goes into the delivery, so that it needs no look-up, and is right also
    when the session has ended meanwhile.
    """

    kind = Kind.ALVARIA

    def payload(self, event: Event, message: Message | None) -> Mapping[str, Any] | None:
        session = event.session
        if not session.vendor_id:
            return None
        if event.kind == EventKind.MESSAGE and message is not None:
            return _deed(session.vendor_id, "message", said(message))
        if event.kind == EventKind.SESSION_END and session.ended_by in OURS:
            return _deed(session.vendor_id, "end", None)
        return None


def _deed(session: str, deed: str, message: Mapping[str, Any] | None) -> dict[str, Any]:
    body = {"message": dict(message)} if message else {}
    return {"type": "EVENT", DEED: {"deed": deed, "sessionId": session, **body}}
