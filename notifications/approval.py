"""What an approver approves: a digest over audience, content and schedule.

People may join or leave a role between the approval and the send; the audience is its
definition, and the count that the approver saw is kept beside it (``approved_count``).
"""

import hashlib
import json

from notifications.models import Notification


def digest_of(notification: Notification) -> str:
    """Return the SHA-256 (hex) of all that decides who gets what, how and when.

    A template enters with its version's own words, so that an approval stays true whatever
    becomes of the template.
    """
    audience = notification.audience
    template = notification.template
    decided = {
        "tenant": notification.tenant_id,
        "title": notification.title,
        "audience": {
            "everyone": bool(audience.get("everyone")),
            "contacts": sorted(audience.get("contacts", [])),
            "roles": sorted(audience.get("roles", [])),
            "narrow": bool(audience.get("narrow")),
        },
        "kind": notification.kind,
        "template": [template.pk, template.body] if template else None,
        "body": notification.body,
        "message": notification.message,
        "event": notification.event,
        "channel": notification.channel_id,
        "priority": int(notification.priority),
        "send_at": notification.send_at.isoformat() if notification.send_at else None,
        "repeat": notification.repeat,
        "time_zone": notification.time_zone,
    }
    text = json.dumps(decided, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def short(digest: str) -> str:
    """The digest as people compare it: 9f2c·71ab·e0d4."""
    return "·".join(digest[start : start + 4] for start in (0, 4, 8))
