"""What the log can be asked for, and the form that reads it from a query string."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.db import connection

from channels_app.log.fields import MessageId, MessageIdField, SpanForm
from channels_app.log.paging import (
    BIGINT_MAX,
    BY_PERSON,
    Listing,
    row_by_row,
)
from channels_app.log.people import people_of
from channels_app.models import Channel, Delivery, State, Tally
from channels_app.models.delivery import DeliveryQuerySet
from project.access.models import Tenant

NOTIFICATION = "notification"  # Delivery.origin_kind of what a notification sent
RARE = 10  # one in so many of a notification's deliveries


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which deliveries of a tenant are meant; what is empty does not narrow them.

    There is none by address or by the beginning of a login: no index serves them, and over
    millions of rows they would take minutes.
    """

    states: tuple[State, ...] = ()
    channel: Channel | None = None
    notification: int | None = None
    recipient: str = ""  # the login as the log has it, whole
    since: datetime | None = None
    until: datetime | None = None  # not included
    message: MessageId | None = None

    @property
    def is_active(self) -> bool:
        return self != LogFilter()

    def books(self, tenant: Tenant) -> Tally | None:
        """The tally of the notification that was asked for."""
        if self.notification is None:
            return None
        of_tenant = Tally.objects.filter(tenant=tenant)
        return of_tenant.filter(origin_kind=NOTIFICATION, origin_id=self.notification).first()

    def listing(self, tenant: Tenant, books: Tally | None = None) -> Listing[Delivery]:
        """Read by the index that narrows most; what else was asked for is looked at row by row.

        ``books`` tell whether a notification's page is found by walking it, by sorting, or not at
        all: there is nothing to be gone through for a state that nobody is in.

        A login's rows are those of the people who have or had it, and those of no person (tests,
        replays): each is asked for apart, since another index finds them. Among a person's, rows
        that went out under another login are left out.
        """
        rows = self._rows()
        if self.recipient:
            rows = rows.of(tenant).filter(recipient=self.recipient)
            if self.channel:
                rows = row_by_row(rows, "channel_id", [self.channel.pk])
            if self.notification is not None:
                rows = row_by_row(rows, "origin_id", [self.notification])
                rows = row_by_row(rows, "origin_kind", [NOTIFICATION])
            parts = [rows.filter(recipient_id=None)]
            if people := people_of(tenant, self.recipient):
                parts.append(rows.filter(recipient_id__in=people))
            return Listing(parts, self.states, by_state=False)
        if self.notification is not None:
            rows = row_by_row(rows, "tenant_id", [tenant.pk])
            rows = rows.of_origin(NOTIFICATION, self.notification)
            if self.channel:
                rows = row_by_row(rows, "channel_id", [self.channel.pk])
            wanted = self._wanted(books)
            if wanted == 0:
                rows = rows.none()
            # SQLite would read the whole notification to sort a few of it; walking stops earlier.
            few = (
                books is not None
                and wanted is not None
                and RARE * wanted < books.total
                and connection.vendor != "sqlite"
            )
            return Listing([rows], self.states, BY_PERSON, few, by_state=False)
        if self.channel:
            # All of a channel's are its tenant's. Said once more of each row, PostgreSQL would take
            # the tenant's index by state, and walk all of other channels.
            is_ours = self.channel.tenant_id == tenant.pk
            rows = rows.filter(channel=self.channel) if is_ours else rows.none()
            return Listing([rows], self.states or tuple(State))
        return Listing([rows.of(tenant)], self.states)

    def _wanted(self, books: Tally | None) -> int | None:
        """How many of the notification's deliveries are in the states; None: not known, or all."""
        if not self.states or books is None:
            return None
        return sum(books.states[state] for state in self.states)

    def _rows(self) -> DeliveryQuerySet:
        """Of whichever tenant: those of the span of time, or with the id."""
        rows = Delivery.objects.all()
        if self.since:
            rows = rows.filter(created_at__gte=self.since)
        if self.until:
            rows = rows.filter(created_at__lt=self.until)
        if self.message:
            rows = rows.filter(pk=self.message.number)
            if self.message.channel:
                ends = (UUID(self.message.channel + digit * 20) for digit in "0f")
                rows = rows.filter(channel__public_id__range=tuple(ends))
        return rows

    def as_json(self) -> dict[str, Any]:
        """For the audit trail: what was asked for, without what was left empty."""
        values = {
            "states": [state.value for state in self.states],
            "channel": self.channel.name if self.channel else "",
            "notification": self.notification,
            "recipient": self.recipient,
            "from": self.since.isoformat() if self.since else "",
            "to": self.until.isoformat() if self.until else "",
            "message": str(self.message or ""),
        }
        return {name: value for name, value in values.items() if value}


class LogForm(SpanForm):
    """Reads a `LogFilter` and a `Place` from a query string; errors stand beside the fields."""

    state = forms.MultipleChoiceField(
        label="State",
        choices=State.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "“%(value)s” is not a state."},
    )
    channel = forms.ModelChoiceField(
        Channel.objects.none(),
        required=False,
        empty_label="Any",
        error_messages={"invalid_choice": "There is no such channel."},
    )
    recipient = forms.CharField(required=False, max_length=254)
    notification = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=BIGINT_MAX,
        error_messages=dict.fromkeys(
            ("invalid", "min_value", "max_value"), "Enter a notification's number."
        ),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "size": 8}),
    )
    message = MessageIdField(label="Message ID", required=False)
    field_order = ["state", "channel", "recipient", "notification", "message", "since", "until"]

    def __init__(self, data: Mapping[str, Any], *, tenant: Tenant) -> None:
        super().__init__(data, tenant=tenant)
        channel = self.fields["channel"]
        assert isinstance(channel, forms.ModelChoiceField)  # noqa: S101 - declared above
        channel.queryset = Channel.objects.of(tenant)

    @property
    def chosen(self) -> LogFilter:
        """The filter; call it on a valid form only."""
        data = self.cleaned_data
        states = tuple(State(state) for state in data["state"])
        return LogFilter(
            states=states if len(states) < len(State) else (),
            **{name: data[name] for name in _SAME},
        )


_SAME = ("channel", "notification", "recipient", "since", "until", "message")
