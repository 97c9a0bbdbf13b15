"""What the filters of the log and of the list of sessions are made of."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_date, parse_datetime

from channels_app.log.paging import BIGINT_MAX, NEWEST, Place, PlaceField
from project.access.models import Tenant

_MESSAGE_ID = re.compile(r"(?:dlv_([0-9a-f]{12})_)?([0-9]{1,19})", re.IGNORECASE)
_PICKED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")


@dataclass(frozen=True, slots=True)
class MessageId:
    """A delivery's number; ``channel`` is the channel's part of the public id, where given."""

    number: int
    channel: str = ""

    def __str__(self) -> str:
        return f"dlv_{self.channel}_{self.number}" if self.channel else str(self.number)


class MessageIdField(forms.CharField):
    """A delivery's public id (``dlv_…``) or its number."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        found = _MESSAGE_ID.fullmatch(text)
        number = int(found[2]) if found else 0
        if not found or not 0 < number <= BIGINT_MAX:
            raise ValidationError("Enter a message ID (dlv_…) or a number.")
        return MessageId(number, (found[1] or "").lower())


class MomentField(forms.CharField):
    """A date or a date with a time, in the tenant's zone unless it names its own.

    ``late``: of an hour that the clocks go through twice, take the second; of a date alone, its
    end. The form calls `prepare`.
    """

    zone: ZoneInfo

    def __init__(self, *, late: bool = False, **kwargs: Any) -> None:
        super().__init__(max_length=40, required=False, **kwargs)
        self.late = late

    def prepare(self, zone: ZoneInfo, value: Any) -> None:
        """Set the zone; offer a picker, unless what was asked for is a text it would drop."""
        self.zone = zone
        fits = not value or _PICKED.fullmatch(str(value))
        self.widget.input_type = "datetime-local" if fits else "text"
        self.widget.attrs["placeholder"] = "2026-11-23 07:30"

    def clean(self, value: Any) -> datetime | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            moment = self._read(text)
            if moment:
                moment.astimezone(self.zone)  # the page tells it on these clocks as well
        except (ValueError, OverflowError):  # no such day, or one that no clock reaches
            moment = None
        if moment is None:
            raise ValidationError("Enter a date and time such as 2026-11-23 07:30.")
        return moment

    def _read(self, text: str) -> datetime | None:
        if day := parse_date(text):
            moment = datetime(day.year, day.month, day.day, tzinfo=self.zone)
            return (moment + timedelta(days=1 if self.late else 0)).astimezone(UTC)
        found = parse_datetime(text)
        if found and found.tzinfo is None:
            found = found.replace(tzinfo=self.zone, fold=int(self.late))
        return found.astimezone(UTC) if found else None


class SpanForm(forms.Form):
    """Reads a span of time, on the tenant's clocks, and a `Place` from a query string."""

    since = MomentField(label="From")
    until = MomentField(label="To", late=True)
    at = PlaceField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, Any], *, tenant: Tenant) -> None:
        super().__init__(data, label_suffix="", auto_id="filter_%s")
        for name, field in self.fields.items():
            if isinstance(field, MomentField):
                field.prepare(tenant.zone, data.get(name))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        since, until = data.get("since"), data.get("until")
        if since and until and until <= since:
            self.add_error("until", "“To” must be later than “From”.")
        return data

    @property
    def place(self) -> Place:
        return self.cleaned_data.get("at") or NEWEST

    @property
    def shows_something(self) -> bool:
        """Whether there is a list to show.

        A wrong filter shows nothing: all rows in its place would pass for the answer. A damaged
        page link narrows nothing, so it only leads to the first page.
        """
        return self.is_valid() or set(self.errors) == {"at"}
