"""What a person typed, as a browser posts it: read, changed by a button, written for a draft."""

import re
import uuid
from zoneinfo import ZoneInfo

from django.http import QueryDict
from django.utils import timezone

from notifications.drafts import Draft, title_of
from notifications.forms.content import Words
from notifications.forms.timing import OWN, next_hour, preset_of, written_local
from notifications.models.recipient import login_key
from project.access.models import Tenant

EVENT = "event."  # what the names of the variables' inputs begin with
_PARTED = re.compile(r"[,\n\r\t]+")


def logins(text: str) -> tuple[str, ...]:
    """Part a list by commas, tabs and line ends; nobody twice, whatever the case."""
    found: dict[str, str] = {}
    for part in _PARTED.split(text):
        if login := part.strip():
            found.setdefault(login_key(login), login)
    return tuple(found.values())


def typed(draft: Draft, tenant: Tenant, *, key: str = "", seen: str = "") -> QueryDict:
    """Return what a person would have typed to make this draft."""
    zone = ZoneInfo(draft.time_zone or tenant.time_zone)
    words = Words() if draft.template else Words.of_body(draft.kind, draft.body)
    data = QueryDict(mutable=True)
    data.update(
        {
            "key": key or uuid.uuid4().hex,
            "seen": seen,
            "contacts": "\n".join(draft.audience.contacts),
            "title": "" if draft.title == title_of(draft) else draft.title,
            "kind": draft.kind,
            "template": str(draft.template.pk) if draft.template else "",
            "text": words.text,
            "card_title": words.title,
            "image": words.image,
            "source": words.source,
            "json_shown": "1" if words.as_json else "0",
            "message": draft.message,
            "channel": str(draft.channel.pk) if draft.channel else "",
            "priority": str(int(draft.priority)),
            "when": "repeat" if draft.repeat else "later" if draft.send_at else "now",
            "send_at": written_local(draft.send_at or next_hour(timezone.now(), zone), zone),
            "repeat": preset_of(draft.repeat) if draft.repeat else "daily",
            "rule": draft.repeat if draft.repeat and preset_of(draft.repeat) == OWN else "",
            "time_zone": zone.key,
        }
    )
    data.setlist("roles", [str(code) for code in draft.audience.roles])
    data.setlist("action_title", [title for title, _ in words.actions])
    data.setlist("action_url", [url for _, url in words.actions])
    flags = {
        "everyone": draft.audience.everyone,
        "narrow": draft.audience.narrow,
        "as_json": words.as_json,
    }
    data.update({name: "on" for name, on in flags.items() if on})
    data.update({EVENT + name: value for name, value in draft.event.items()})
    return data


def people_changed(data: QueryDict, tenant: Tenant) -> QueryDict:
    """Return the form's data after its buttons that add people or leave one out."""
    added, removed = data.get("add", ""), login_key(data.get("remove", ""))
    if "add_found" in data:
        added = data.get("find", "")
    if not added and not removed:
        return data
    changed = data.copy()
    kept = [login for login in logins(data.get("contacts", "")) if login_key(login) != removed]
    changed["contacts"] = "\n".join(logins("\n".join([*kept, added])))
    if added:
        changed["find"] = ""
    return changed
