"""When a message leaves, on the clocks of the tenant and of the person in the preview."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from notifications.drafts import Draft
from notifications.forms.timing import comes_twice
from notifications.models import Recipient
from notifications.text.recurrence import RecurrenceError
from project.access.models import Tenant

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Date:
    """One moment as two clocks show it; ``theirs`` is None where both show the same."""

    ours: datetime
    theirs: datetime | None


@dataclass(frozen=True, slots=True)
class When:
    dates: tuple[Date, ...]
    zone: str
    their_zone: str  # of the person in the preview; empty where it is the same
    notes: tuple[str, ...]
    problem: str = ""

    @classmethod
    def of(cls, draft: Draft, tenant: Tenant, person: Recipient | None, now: datetime) -> "When":
        zone = ZoneInfo(draft.time_zone or tenant.time_zone)
        theirs = person.zone if person and person.zone.key != zone.key else None
        moments: list[datetime] = []
        problem = ""
        try:
            moments = coming(draft, tenant, now)
        except RecurrenceError as error:
            problem = str(error)
        notes = [
            f"{zone.key} shows this time twice on that day; the first is meant."
            for moment in moments[:1]
            if comes_twice(moment, zone)
        ]
        if draft.send_at and not draft.repeat and draft.send_at < now:
            notes.append("This time has passed.")
        if draft.repeat and not moments and not problem:
            notes.append("None of its dates is still to come.")
        return cls(
            dates=tuple(
                Date(moment.astimezone(zone), moment.astimezone(theirs) if theirs else None)
                for moment in moments
            ),
            zone=zone.key,
            their_zone=theirs.key if theirs else "",
            notes=tuple(notes),
            problem=problem,
        )


def coming(draft: Draft, tenant: Tenant, now: datetime) -> list[datetime]:
    """Return the next moments at which it leaves; none for one that leaves at once.

    Raises RecurrenceError.
    """
    recurrence = draft.recurrence(tenant)
    if recurrence is None:
        return [draft.send_at] if draft.send_at else []
    first = recurrence.first
    following = recurrence.next(SHOWN, max(now, first))
    return [first, *following][:SHOWN] if first >= now else following
