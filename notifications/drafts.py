"""What is decided about a message before it is sent, and what is wrong with it."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from django.utils import timezone

from channels_app.models import Channel, Priority
from notifications.audience import (
    CONTACTS_MAX,
    Audience,
    Found,
    has_default_channel,
    unknown_contacts,
    unknown_roles,
)
from notifications.models import ContentType, TemplateVersion
from notifications.rendering import shared_values
from notifications.text.content import ContentError, ContentSource
from notifications.text.payload import character_problem
from notifications.text.recurrence import Recurrence, RecurrenceError
from notifications.text.variables import is_name, length
from project.access.models import Tenant

TITLE_MAX = 150
MESSAGE_MAX = 40_000  # characters
EVENT_VALUES_MAX = 50
TOO_MANY_NAMED = f"At most {CONTACTS_MAX:,} people by name; use a role for more."
REPEAT_MAX = 500
TITLE_GUESSED = 60  # characters

_SPACE_BEFORE = re.compile(r" +([,.;:!?])")


class NotComposable(ValueError):
    """What was composed can't be sent: messages by field of `Draft`."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(text for texts in self.errors.values() for text in texts))


@dataclass(frozen=True, kw_only=True)
class Draft:
    """All that is decided about a message before it is sent.

    Either ``template`` or ``body``. ``channel`` None is each person's last used one, ``send_at``
    None is at once. ``repeat`` is an RFC 5545 rule that starts at ``send_at`` on the wall clock
    of ``time_zone`` (empty: the tenant's).
    """

    audience: Audience
    title: str = ""
    kind: str = ContentType.TEXT
    template: TemplateVersion | None = None
    body: str = ""
    message: str = ""
    event: Mapping[str, str] = field(default_factory=dict)
    channel: Channel | None = None
    priority: int = Priority.NORMAL
    send_at: datetime | None = None
    repeat: str = ""
    time_zone: str = ""

    def source(self) -> ContentSource:
        """Return the content with its variables; raises ContentError."""
        if self.template is not None:
            return _read(self.template.template.kind, self.template.body)
        return ContentSource.from_text(self.kind, self.body)

    def values(self, tenant: Tenant) -> dict[str, str]:
        """Return the values that are the same for all recipients."""
        return shared_values(
            tenant=tenant, title=self.title or "-", message=self.message, event=self.event
        )

    def missing(self, tenant: Tenant) -> list[str]:
        """Name the variables that have no value and no default."""
        return _without_value(self.source(), self.values(tenant))

    def recurrence(self, tenant: Tenant) -> Recurrence | None:
        """Return the schedule of a series, None without one; raises RecurrenceError."""
        if not self.repeat:
            return None
        return Recurrence.parse(
            self.repeat,
            start=self.send_at or timezone.now(),
            zone=self.time_zone or tenant.time_zone,
        )


@lru_cache(maxsize=64)
def _read(kind: str, body: str) -> ContentSource:
    """Read a template; most are used again and again."""
    return ContentSource.from_text(kind, body)


def problems(draft: Draft, tenant: Tenant, *, found: Found | None = None) -> dict[str, list[str]]:
    """Return everything that is wrong with a draft, by field; empty when it can be sent.

    ``found``: what the caller has just learnt of its audience (`audience.look_up`).
    """
    errors: dict[str, list[str]] = defaultdict(list, unfit(draft, tenant))
    if "audience" not in errors and found is None:
        _check_audience(draft, tenant, errors)
    if errors.keys().isdisjoint({"template", "body", "event"}):
        _check_content(draft, tenant, errors)
    has_default = found.has_default_channel if found else None
    if has_default is None and draft.channel is None:
        has_default = has_default_channel(tenant)
    if draft.channel is None and not has_default:
        errors["channel"].append("Choose a channel: there is no default one.")
    try:
        draft.recurrence(tenant)
    except RecurrenceError as error:
        errors["repeat"].append(str(error))
    return dict(errors)


def unfit(draft: Draft, tenant: Tenant) -> dict[str, list[str]]:
    """Return what not even an unfinished draft may hold: what is too long or another tenant's."""
    errors: dict[str, list[str]] = defaultdict(list)
    if len(draft.audience.contacts) > CONTACTS_MAX:
        errors["audience"].append(TOO_MANY_NAMED)
    if draft.kind not in ContentType.values:
        errors["body"].append("A message is a text, an image or a card.")
    if draft.template is not None and draft.template.template.tenant_id != tenant.pk:
        errors["template"].append("This template does not exist.")
    if draft.channel is not None and draft.channel.tenant_id != tenant.pk:
        errors["channel"].append("This channel does not exist.")
    for name, size, most in (
        ("title", len(draft.title), TITLE_MAX),
        ("body", length(draft.body), MESSAGE_MAX),
        ("message", len(draft.message), MESSAGE_MAX),
        ("event", max(map(len, draft.event.values()), default=0), MESSAGE_MAX),
        ("repeat", len(draft.repeat), REPEAT_MAX),
    ):
        if size > most:
            errors[name].append(f"At most {most:,} characters.")
    if len(draft.event) > EVENT_VALUES_MAX:
        errors["event"].append(f"At most {EVENT_VALUES_MAX} values.")
    if not_names := [name for name in draft.event if not is_name(name)]:
        errors["event"].append(f"Not a name for a value: {_listed(not_names)}.")
    written = {
        "title": [draft.title],
        "body": [draft.body],
        "message": [draft.message],
        "event": draft.event.values(),
        "audience": draft.audience.contacts,
        "repeat": [draft.repeat],
    }
    for name, texts in written.items():
        if problem := next(filter(None, map(character_problem, texts)), None):
            errors[name].append(problem)
    return dict(errors)


def _check_audience(draft: Draft, tenant: Tenant, errors: dict[str, list[str]]) -> None:
    audience = draft.audience
    if audience.is_empty:
        errors["audience"].append("Choose people, roles or everyone.")
    if audience.everyone:
        return
    if unknown := unknown_contacts(tenant, audience.contacts):
        errors["audience"].append(f"Nobody is known as {_listed(unknown)}.")
    if missing := unknown_roles(tenant, audience.roles):
        errors["audience"].append(f"There is no role {_listed([str(code) for code in missing])}.")


def _check_content(draft: Draft, tenant: Tenant, errors: dict[str, list[str]]) -> None:
    place = "template" if draft.template else "body"
    if draft.template is None and not draft.body.strip():
        errors["body"].append("Write a message or choose a template.")
        return
    try:
        source, values = draft.source(), draft.values(tenant)
        if missing := _without_value(source, values):
            errors["event"].append(f"No value for {_listed(['@' + name for name in missing])}.")
            return
        # What all will get is looked at now, not when it is sent.
        bound = source.bind(values)
        if bound.is_constant:
            bound.render({})
        else:
            bound.check_fixed()
    except ContentError as error:
        errors[place].extend(error.messages)


def _without_value(source: ContentSource, values: Mapping[str, str]) -> list[str]:
    return [name for name in source.missing(values) if not name.startswith("recipient.")]


def content_problems(draft: Draft, tenant: Tenant) -> dict[str, list[str]]:
    """Return what keeps the content alone from being sent, as to try it out on one person."""
    of_content = {"template", "body", "message", "event", "title"}
    errors: dict[str, list[str]] = defaultdict(list)
    found = unfit(draft, tenant)
    errors.update({name: texts for name, texts in found.items() if name in of_content})
    if errors.keys().isdisjoint({"template", "body", "event"}):
        _check_content(draft, tenant, errors)
    return dict(errors)


def _listed(names: list[str]) -> str:
    shown = ", ".join(name[:80] for name in names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def title_of(draft: Draft) -> str:
    """Return the title of a draft that was given none: the template's name or the first words."""
    if draft.template is not None:
        return draft.template.template.name
    try:
        strings = dict(draft.source().programs)
    except ContentError:
        return "Untitled"
    program = strings.get("title") or strings.get("text")
    known = {f"event.{name}": value for name, value in draft.event.items()}
    known["request.message"] = draft.message
    pieces = program.bind(known).pieces if program else ()
    plain = "".join(piece for piece in pieces if isinstance(piece, str))
    return first_words(plain) or draft.kind.capitalize()


def first_words(text: str) -> str:
    """Return how a text begins, fit for a title; empty when it has no words."""
    words = _SPACE_BEFORE.sub(r"\1", " ".join(text.split())).strip(" ,;:.")
    return words if len(words) <= TITLE_GUESSED else words[: TITLE_GUESSED - 1].rstrip() + "…"
