"""What the page of a notification tells: what was decided, by whom, and what it looked like."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from django.utils import timezone

from channels_app.chat_window import Bubble
from channels_app.models import Delivery, Tally
from notifications.approval import short
from notifications.audience import Survey, survey
from notifications.composing import draft_of, problems
from notifications.drafts import Draft
from notifications.forms.timing import REPEATS, preset_of
from notifications.models import ORIGIN, Notification, Recipient, Stage
from notifications.pages.preview import TABS, Preview, bubble_of, first_of, preview
from notifications.pages.what import Line, lines_of
from notifications.pages.when import When
from notifications.pages.who import person
from notifications.text.content import ContentError
from project.access.models import AuditEntry, Tenant

OCCURRENCES = 20  # shown at once
LOOKED_AT = 50  # deliveries, to find one that was rendered
STAGE_WORDS = {
    Stage.DRAFT: "draft",
    Stage.SUBMITTED: "waiting for approval",
    Stage.SCHEDULED: "scheduled",
    Stage.SENDING: "sending",
    Stage.DONE: "done",
    Stage.CANCELLED: "cancelled",
}


@dataclass(frozen=True, slots=True)
class Occurrence:
    notification: Notification
    tally: Tally | None

    @property
    def states(self) -> list[tuple[str, int]]:
        """The states that somebody is in."""
        return [(s, n) for s, n in self.tally.states.items() if n] if self.tally else []


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that went out, as the log keeps it."""

    delivery: Delivery
    bubble: Bubble | None
    at: datetime


class Story:
    """``seen_as``: the login of the person whose preview is drawn."""

    def __init__(self, notification: Notification, tenant: Tenant, *, seen_as: str = "") -> None:
        self.notification = notification
        self.tenant = tenant
        self.now = timezone.now()
        self._seen_as = seen_as.strip()

    @cached_property
    def draft(self) -> Draft:
        return draft_of(self.notification)

    @cached_property
    def problems(self) -> list[str]:
        """What keeps a notification that has not left from being sent."""
        found = problems(self.draft, self.tenant)
        return [text for texts in found.values() for text in texts]

    @property
    def digest(self) -> str:
        return short(self.notification.digest)

    tabs = TABS

    # --- who ------------------------------------------------------------------------------------

    @property
    def audience_words(self) -> str:
        return self.draft.audience.describe(self.tenant)

    @property
    def counts_now(self) -> bool:
        """Whether it matters who would get it now: it has not left, or leaves again."""
        return self.notification.stage in (Stage.DRAFT, Stage.SUBMITTED, Stage.SCHEDULED)

    @cached_property
    def survey(self) -> Survey:
        """Who it would reach if it left now."""
        return survey(self.tenant, self.draft.audience, self.notification.channel)

    # --- what -----------------------------------------------------------------------------------

    @property
    def lines(self) -> tuple[Line, ...]:
        """The words with their variables, as they were written."""
        try:
            return lines_of(self.draft.source())
        except ContentError:
            return ()

    @cached_property
    def _chosen(self) -> Recipient | None:
        return person(self.tenant, self._seen_as)

    @property
    def person_found(self) -> bool:
        return self._chosen is not None

    @cached_property
    def person(self) -> Recipient | None:
        """Whom the sample is drawn for."""
        return self._chosen or first_of(self.draft, self.tenant)

    @cached_property
    def preview(self) -> Preview:
        dates = self.when.dates
        return preview(self.draft, self.tenant, self.person, dates[0].ours if dates else self.now)

    @cached_property
    def sent(self) -> Sent | None:
        """One message as it was sent; None before there is one."""
        rows = Delivery.objects.of_origin(ORIGIN, self.notification.pk)
        if self._chosen:
            rows = rows.filter(recipient=self._chosen.login)
        few = rows.select_related("channel").order_by("recipient_id")[:LOOKED_AT]
        found = next((row for row in few if row.payload), None)
        if found is None:
            return None
        at = found.settled_at or found.created_at
        return Sent(found, bubble_of(found.payload, at), at)

    # --- when -----------------------------------------------------------------------------------

    @cached_property
    def when(self) -> When:
        return When.of(self.draft, self.tenant, self.person, self.now)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.when.zone)

    @property
    def repeat_words(self) -> str:
        """How often, in words where a preset says it, else the rule itself."""
        rule = self.notification.repeat
        return rule if preset_of(rule) == "own" else dict(REPEATS)[preset_of(rule)]


def occurrences(series: Notification, before: int = 0) -> list[Occurrence]:
    """The last occurrences of a series, newest first; the next page begins below ``before``."""
    if not series.is_series:
        return []
    rows = series.occurrences.order_by("-pk")
    found = list((rows.filter(pk__lt=before) if before else rows)[:OCCURRENCES])
    tallies = Tally.objects.filter(origin_kind=ORIGIN, origin_id__in=[row.pk for row in found])
    books = {tally.origin_id: tally for tally in tallies}
    return [Occurrence(row, books.get(row.pk)) for row in found]


def returned(notification: Notification) -> AuditEntry | None:
    """The last giving back of a draft, unless its composer has taken it back since."""
    entries = AuditEntry.objects.filter(
        target_kind="notification",
        target_id=str(notification.pk),
        action__in=["notification.decline", "notification.submit", "notification.withdraw"],
    )
    last = entries.order_by("-pk").first()
    return last if last is not None and last.action == "notification.decline" else None


def stage_word(notification: Notification) -> str:
    if notification.is_series and notification.stage == Stage.SCHEDULED:
        return "repeating"
    return STAGE_WORDS[Stage(notification.stage)]
