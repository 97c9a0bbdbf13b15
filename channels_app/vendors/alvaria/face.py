"""Sessions that a custom server opened: each event is a callback, in the document's shapes."""

from collections.abc import Mapping
from typing import Any

from channels_app.models import Author, Event, EventKind, Message
from channels_app.models.channel import Kind
from channels_app.sessions.faces import Face, register_face
from channels_app.sessions.services import Said

TOLD = {
    EventKind.NEW_SESSION,
    EventKind.AGENT_JOINED,
    EventKind.MESSAGE,
    EventKind.MESSAGE_STATUS,
    EventKind.SESSION_REROUTE,
    EventKind.SESSION_END,
}
SENDERS = {Author.AGENT: "AGENT", Author.SYSTEM: "SYSTEM"}


@register_face
class CallbackFace(Face):
    kind = Kind.ALVARIA_CALLBACK

    def payload(self, event: Event, message: Message | None) -> Mapping[str, Any] | None:
        if event.kind not in TOLD:
            return None
        body: dict[str, Any] = {"sessionId": str(event.session.public_id)}
        if message is not None:
            body |= {"senderId": SENDERS[Author(message.author)], "message": said(message)}
        else:
            body |= {"event": str(event.kind), **event.data}
        return {"type": "EVENT", "callback": {**body, "eventId": str(event.public_id)}}


def said(message: Message | Said) -> dict[str, Any]:
    """Return the document's Message."""
    body: dict[str, Any] = {"text": message.text} if message.text else {}
    if message.attachment_url:
        body["attachment"] = {"type": message.attachment_type, "url": message.attachment_url}
    return body
