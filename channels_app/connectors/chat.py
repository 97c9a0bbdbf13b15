from collections.abc import Sequence
from datetime import datetime

from channels_app.connectors.base import (
    BatchConnector,
    Credentials,
    Receipt,
    Setting,
    Verdict,
    register,
)
from channels_app.models import ChatMessage, Delivery


@register
class Chat(BatchConnector):
    """The chat window in the browser: a message is a row, made where its delivery is settled."""

    kind = "chat"
    label = "Chat"
    transactional = True
    settings = (
        # Signs the links to the chat windows (channels_app/chat_links.py).
        Setting(
            "link_key",
            "Link key",
            required=False,
            secret=True,
            generate=True,
            help="Every link to a chat window that was handed out so far ends with a new one.",
        ),
    )

    def deliver(
        self, deliveries: Sequence[Delivery], credentials: Credentials, now: datetime
    ) -> list[Verdict]:
        # A delivery that was cut off and comes again finds its message there already.
        ChatMessage.objects.bulk_create(
            [
                ChatMessage(
                    channel_id=delivery.channel_id,
                    contact=delivery.address,
                    delivery=delivery,
                    payload=delivery.payload,
                    sent_at=now,
                    # Nobody said a note, so nobody is reminded of it.
                    read_at=now if delivery.payload.get("type") == "NOTE" else None,
                )
                for delivery in deliveries
            ],
            ignore_conflicts=True,
        )
        return [Receipt() for _ in deliveries]
