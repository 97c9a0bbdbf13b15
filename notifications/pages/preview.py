"""A message as one person would get it, over each kind of channel."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from channels_app.chat_window import Bubble
from channels_app.models import ChatMessage
from notifications.drafts import Draft, title_of
from notifications.models import Recipient
from notifications.pages.what import preview_values, said
from notifications.rendering import render_for
from notifications.services import address_of, opted_out, route_to
from notifications.text.content import ContentError
from project.access.models import Tenant

TABS = (("chat", "Chat"), ("email", "Email"), ("json", "JSON"))


@dataclass(frozen=True, slots=True)
class Preview:
    """``recipient`` is None where the audience is empty; then a stand-in's name is used."""

    recipient: Recipient | None
    payload: dict[str, Any]
    problems: tuple[str, ...]
    at: datetime
    reach: str = ""  # over which channel the person gets it, or why not

    @property
    def subject(self) -> str:
        return str(self.payload.get("subject", ""))

    @property
    def json(self) -> str:
        return json.dumps(self.payload, ensure_ascii=False, indent=2)

    @property
    def bubble(self) -> Bubble | None:
        return bubble_of(self.payload, self.at)


def bubble_of(payload: dict[str, Any], at: datetime) -> Bubble | None:
    """Draw a payload as the chat window does; None for an empty one."""
    if not payload:
        return None
    return Bubble.of(ChatMessage(payload=payload, sent_at=at, read_at=at))


def preview(draft: Draft, tenant: Tenant, person: Recipient | None, at: datetime) -> Preview:
    """Render the draft for one person, at the moment when it would leave."""
    reader = person or Recipient(tenant=tenant, login="ana@example.com", name="Ana Example")
    payload: dict[str, Any] = {}
    problems: tuple[str, ...] = ()
    if draft.template or draft.body.strip():
        try:
            content = draft.source().bind(preview_values(draft, tenant))
            subject = draft.title.strip() or title_of(draft)
            payload = render_for(content, reader, tenant, subject=subject)
        except ContentError as error:
            problems = tuple(said(error))
    return Preview(
        recipient=person,
        payload=payload,
        problems=problems,
        at=at.astimezone(reader.zone),
        reach=_reach(draft, tenant, person) if person else "",
    )


def first_of(draft: Draft, tenant: Tenant) -> Recipient | None:
    """The person to preview as when none was chosen: the first of the audience."""
    if draft.audience.is_empty:
        return None
    return draft.audience.recipients(tenant).order_by("pk").first()


def _reach(draft: Draft, tenant: Tenant, person: Recipient) -> str:
    """Say how this person would get it."""
    channel = route_to(person, tenant, draft.channel)
    if channel is None:
        return ""
    if opted_out(person, channel):
        return f"Opted out of {channel.name}: gets nothing."
    address = address_of(person, channel)
    return f"{channel.name} to {address}" if address else f"No address for {channel.name}."
