"""The words of a message that is being composed: their variables and what is wrong with them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from notifications.drafts import Draft, title_of
from notifications.forms.compose import ComposeForm
from notifications.forms.typed import EVENT
from notifications.models import ContentType, Template, TemplateVersion
from notifications.text.content import ContentError, ContentSource
from notifications.text.filters import FILTERS
from notifications.text.payload import TEXT_MAX
from notifications.text.program import Segment
from notifications.text.variables import NAMESPACES, length
from project.access.models import Tenant

MESSAGE = "request.message"
_NAMES = {
    "text": "Text",
    "title": "Title",
    "image": "Image URL",
    "url": "Image URL",
    "body": "",
    "type": "Type",
    "actions": "Buttons",
}
_ACTION = re.compile(r"actions\.(\d+)(?:\.(title|url))?")


@dataclass(frozen=True, slots=True)
class Value:
    """The input of one variable's value."""

    name: str
    value: str
    is_optional: bool

    @property
    def is_missing(self) -> bool:
        return not self.value and not self.is_optional


@dataclass(frozen=True, slots=True)
class Line:
    """One string of a template as it is shown: which field it is, and its stretches."""

    label: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class What:
    values: tuple[Value, ...]
    kept: tuple[tuple[str, str], ...]  # values typed for variables that are gone from the words
    uses_message: bool
    problems: tuple[str, ...]  # in the words themselves
    missing: tuple[str, ...]
    length: int
    template: TemplateVersion | None
    lines: tuple[Line, ...]

    longest = TEXT_MAX

    @classmethod
    def of(cls, form: ComposeForm, tenant: Tenant) -> "What":
        draft = form.draft
        problems: tuple[str, ...] = ()
        content: ContentSource | None = None
        try:
            content = draft.source() if draft.template or draft.body.strip() else None
        except ContentError as error:
            problems = tuple(said(error))
        names = _event_names(content) if content else None
        if names is None:  # not readable right now: what stood there stays
            names = {} if not problems else dict.fromkeys(form.event, True)
        values = tuple(
            Value(name, form.event.get(name, ""), optional) for name, optional in names.items()
        )
        gone = {n: v for n, v in form.event.items() if n not in names and v}
        return cls(
            values=values,
            kept=tuple(gone.items()),
            uses_message=bool(content and content.uses(MESSAGE)),
            problems=problems,
            missing=tuple(draft.missing(tenant)) if content else (),
            length=length(draft.template.body if draft.template else draft.body),
            template=draft.template,
            lines=lines_of(content) if content and draft.template else (),
        )

    @property
    def shown_values(self) -> str:
        """Which inputs are drawn, so that they are drawn anew only when that changes."""
        names = [value.name for value in self.values]
        return ",".join([*names, MESSAGE] if self.uses_message else names)

    @property
    def is_empty(self) -> bool:
        return self.template is None and not self.length


def said(error: ContentError) -> list[str]:
    """Say what is wrong with a content, each with the name of the field it is in."""
    found = []
    for path, messages in error.errors.items():
        label = _label(path)
        found += [f"{label}: {message}" if label else message for message in messages]
    return found


def spoken(errors: Mapping[str, list[str]], form: ComposeForm) -> dict[str, list[str]]:
    """Name the fields in a draft's errors as the page does."""
    place = "template" if form.draft.template else "body"
    if place not in errors or not (form.draft.template or form.draft.body.strip()):
        return dict(errors)
    try:
        form.draft.source()
    except ContentError as error:
        return {**errors, place: said(error)}
    return dict(errors)


def variables_offered() -> list[tuple[str, str]]:
    """The variables that may be inserted by a click, and what each stands for."""
    names = [f"@{space}.{name}" for space, own in NAMESPACES.items() for name in own or ("name",)]
    return [(name, _MEANINGS.get(name, "")) for name in names]


def filters_offered() -> list[str]:
    return [f"|{each.example}" for each in FILTERS.values()]


def template_groups(tenant: Tenant, chosen: TemplateVersion | None) -> list[dict[str, Any]]:
    """The templates to choose from, by kind, each with its newest version.

    A draft's own version stays in the list when it is an older one or its template is retired.
    """
    newest = (
        TemplateVersion.objects.filter(template__in=Template.objects.of(tenant).in_use())
        .select_related("template")
        .order_by("template__name", "template_id", "-version")
        .only("version", "template__name", "template__kind")
    )
    by_template: dict[int, TemplateVersion] = {}
    for version in newest:
        by_template.setdefault(version.template_id, version)
    offered = list(by_template.values())
    if chosen is not None and chosen.pk not in {version.pk for version in offered}:
        offered.append(chosen)
    groups = [
        {
            "kind": kind,
            "label": kind.label,
            "versions": [version for version in offered if version.template.kind == kind],
        }
        for kind in ContentType
    ]
    return [group for group in groups if group["versions"]]


_MEANINGS = {
    "@request.message": "a message of your own, written beside a template",
    "@recipient.name": "the person's name",
    "@recipient.first_name": "the first word of the name",
    "@recipient.login": "the person's login",
    "@recipient.locale": "the person's language, such as de-AT",
    "@recipient.time_zone": "the person's time zone",
    "@tenant.name": "your organisation",
    "@notification.title": "this notification's title",
    "@event.name": "a value of this message; choose any name",
}


def _event_names(content: ContentSource) -> dict[str, bool]:
    """Name the ``event`` values in order of appearance; True where each use has a default."""
    found: dict[str, bool] = {}
    for _, program in content.programs:
        for slot in program.slots:
            if slot.name.startswith(EVENT):
                name = slot.name.removeprefix(EVENT)
                found[name] = found.get(name, True) and slot.is_optional
    return found


def lines_of(content: ContentSource) -> tuple[Line, ...]:
    """The strings of a content as its author wrote them."""
    several = len(content.programs) > 1
    return tuple(
        Line(_label(path) if several else "", program.segments)
        for path, program in content.programs
    )


def _label(path: str) -> str:
    if found := _ACTION.fullmatch(path):
        part = {"title": " title", "url": " URL"}.get(found[2] or "", "")
        return f"Button {int(found[1]) + 1}{part}"
    return _NAMES.get(path, path)


def preview_values(draft: Draft, tenant: Tenant) -> dict[str, str]:
    """The values to preview with: what has none yet stands there by its name."""
    values = replace(draft, title=draft.title.strip() or title_of(draft)).values(tenant)
    return {**{name: f"@{name}" for name in draft.missing(tenant)}, **_filled(values)}


def _filled(values: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
