"""What the list of sessions can be asked for, and the form that reads it from a query string."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import CharField, Value
from django.db.models.functions import Lower

from channels_app.log.fields import SpanForm
from channels_app.log.paging import BIGINT_MAX, Listing, row_by_row
from channels_app.log.words import Clock
from channels_app.models import Agent, Channel, Session, SessionState, WorkType
from channels_app.models.session import SessionQuerySet
from project.access.models import Tenant

RELATED = ("channel", "work_type", "agent", "offered_to")
_NUMBER = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions of a tenant are meant; what is empty does not narrow them."""

    states: tuple[SessionState, ...] = ()
    who: str = ""  # a contact, whole, or one of the names that systems have for a session
    work_type: WorkType | None = None
    channel: Channel | None = None
    agent: Agent | None = None  # who has it, or had it last
    since: datetime | None = None
    until: datetime | None = None  # not included

    @property
    def is_active(self) -> bool:
        return self != SessionFilter()

    def listing(self, tenant: Tenant) -> Listing[Session]:
        """Read by the index that narrows most; what else was asked for is looked at row by row."""
        by = "tenant"
        if self.who:
            by = "who"
            parts = list(self._named(tenant))
        elif self.agent:
            by = "agent"
            parts = [self._rows().filter(agent=self.agent)]
        elif self.work_type:
            by = "work_type"
            parts = [self._rows().filter(work_type=self.work_type)]
        elif self.channel:
            by = "channel"
            parts = [self._rows().filter(channel=self.channel)]
        else:
            parts = [self._rows().of(tenant)]
        if by not in ("tenant", "who"):
            parts = [row_by_row(rows, "tenant_id", [tenant.pk]) for rows in parts]
        for name in ("agent", "work_type", "channel"):
            chosen = getattr(self, name)
            if chosen and name != by:
                parts = [row_by_row(rows, f"{name}_id", [chosen.pk]) for rows in parts]
        return Listing(parts, self.states, by_state=by == "tenant", related=RELATED)

    def _named(self, tenant: Tenant) -> Iterator[SessionQuerySet]:
        """Each by its own index; a row that is found twice is shown once."""
        rows, theirs = self._rows(), Channel.objects.of(tenant)
        name = Lower(Value(self.who, output_field=CharField()))
        yield rows.of(tenant).alias(lowered=Lower("contact_name")).filter(lowered=name)
        yield rows.filter(channel__in=theirs, contact=self.who)
        yield rows.filter(channel__in=theirs, vendor_id=self.who).exclude(vendor_id="")
        if public_id := _uuid(self.who):
            yield row_by_row(rows.filter(public_id=public_id), "tenant_id", [tenant.pk])
        if _NUMBER.fullmatch(self.who) and int(self.who) <= BIGINT_MAX:
            yield row_by_row(rows.filter(pk=int(self.who)), "tenant_id", [tenant.pk])

    def _rows(self) -> SessionQuerySet:
        """Of whichever tenant: those of the span of time."""
        rows = Session.objects.all()
        if self.since:
            rows = rows.filter(created_at__gte=self.since)
        if self.until:
            rows = rows.filter(created_at__lt=self.until)
        return rows

    def in_words(self, clock: Clock) -> str:
        """Say what the list shows, so that a print of it speaks for itself."""
        parts = []
        if self.states:
            *most, last = (str(state.label).lower() for state in self.states)
            parts.append(f"{', '.join(most)} or {last}" if most else last)
        if self.who:
            parts.append(f"with {self.who}")
        if self.work_type:
            parts.append(f"about {self.work_type}")
        if self.channel:
            parts.append(f"over {self.channel.name}")
        if self.agent:
            parts.append(f"answered by {self.agent}")
        if self.since:
            parts.append(f"from {clock.full(self.since)}")
        if self.until:
            parts.append(f"up to {clock.full(self.until)}")
        said = ", ".join(parts)
        return f"{said[0].upper()}{said[1:]}." if said else "All sessions, newest first."


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


class AgentField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Two agents may have the same first name."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.alias} ({obj.user.get_username()})"


class SessionForm(SpanForm):
    """Reads a `SessionFilter` and a place; errors stand beside the fields."""

    state = forms.MultipleChoiceField(
        label="State",
        choices=SessionState.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "“%(value)s” is not a state."},
    )
    who = forms.CharField(label="Contact or ID", required=False, max_length=254)
    work_type = forms.ModelChoiceField(
        WorkType.objects.none(),
        required=False,
        empty_label="Any",
        error_messages={"invalid_choice": "There is no such work type."},
    )
    channel = forms.ModelChoiceField(
        Channel.objects.none(),
        required=False,
        empty_label="Any",
        error_messages={"invalid_choice": "There is no such channel."},
    )
    agent = AgentField(
        Agent.objects.none(),
        required=False,
        empty_label="Any",
        error_messages={"invalid_choice": "There is no such agent."},
    )
    field_order = ["state", "who", "work_type", "channel", "agent", "since", "until"]

    def __init__(self, data: Mapping[str, Any], *, tenant: Tenant) -> None:
        super().__init__(data, tenant=tenant)
        offered = {
            "work_type": WorkType.objects.of(tenant),
            "channel": Channel.objects.of(tenant),
            "agent": Agent.objects.of(tenant).select_related("user"),
        }
        for name, rows in offered.items():
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - declared above
            field.queryset = rows

    @property
    def chosen(self) -> SessionFilter:
        """The filter; call it on a valid form only."""
        data = self.cleaned_data
        states = tuple(SessionState(state) for state in data["state"])
        return SessionFilter(
            states=states if len(states) < len(SessionState) else (),
            **{name: data[name] for name in self.field_order if name != "state"},
        )
