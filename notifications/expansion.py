"""Expansion: an audience becomes deliveries, in batches, each rendered as it will be sent."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import starmap

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from channels_app.models import Tally
from channels_app.models.bulk_insert import Row, Shared
from channels_app.services import enqueue_rows, open_books
from notifications.audience import Audience
from notifications.batch_rows import BatchRows, Person
from notifications.models import ORIGIN, Notification, Stage

BATCH = 5_000 if settings.SQLITE else 10_000  # people a transaction, at most


@dataclass(slots=True)
class Batch:
    """The next people of a notification, read and ready to be stored; nobody, at its end.

    ``held`` is for how long, in seconds, storing them kept others from the rows it locks, which
    on SQLite are all.
    """

    notification: Notification
    people: list[Person]
    rows: Iterable[Row]
    now: datetime
    held: float = 0.0

    @classmethod
    def next_of(cls, pk: int, size: int | None = None) -> "Batch | None":
        """Read the next ``size`` people; None where nobody is to be added (any more)."""
        notification = (
            Notification.objects.expanding()
            .select_related("tenant", "channel", "template__template")
            .filter(pk=pk)
            .first()
        )
        if notification is None:
            return None
        audience = Audience.from_json(notification.audience)
        found = audience.recipients(notification.tenant).filter(pk__gt=notification.expanded_to)
        values = found.order_by("pk").values_list(*Person._fields)[: size or BATCH]
        people, now = list(starmap(Person, values)), timezone.now()
        rows: Iterable[Row] = ()
        if people:
            rows = BatchRows(notification, people, now).rows()
        if settings.SQLITE:  # whose transactions keep all others out: they are worded before
            rows = list(rows)
        return cls(notification, people, rows, now)

    def store(self) -> int | None:
        """Add the people; returns how many, 0 where it was too late, None at the end.

        The rows, the books and how far it got are one commit, made only if the notification
        stands where it was read: so an expansion that is cut off, or run twice at once, goes on
        where the last commit ended, nobody is left out or added twice, and nobody is added after
        a stop. Who is deleted or opts out between the reading and the commit, a moment later, is
        too late for this message, as with any that is in the queue already.
        """
        as_read = Notification.objects.expanding().filter(
            pk=self.notification.pk, expanded_to=self.notification.expanded_to
        )
        to: dict[str, object] = (
            {"expanded_to": self.people[-1].id} if self.people else {"expanded_at": self.now}
        )
        with transaction.atomic():
            # It is locked by this: who stops it, or expands it too, was first or has to wait.
            if not as_read.update(**to, updated_at=timezone.now()):
                return 0
            began = time.monotonic()
            open_books(self.notification.tenant, ORIGIN, self.notification.pk)
            if self.people:
                enqueue_rows(self._shared, self.rows)
        self.held = time.monotonic() - began
        return len(self.people) or None

    @property
    def _shared(self) -> Shared:
        return Shared(
            tenant_id=self.notification.tenant_id,
            origin_kind=ORIGIN,
            origin_id=self.notification.pk,
            priority=self.notification.priority,
            due_at=self.now,
            created_at=self.now,
        )


def expand_batch(pk: int) -> int | None:
    """Turn the next people of a notification into deliveries; None when there are no more.

    0 is somebody else's having done just that, or a stop: asked again, it goes on or ends.
    """
    batch = Batch.next_of(pk)
    return None if batch is None else batch.store()


def finish(pk: int) -> bool:
    """Call it done once everybody is expanded and nothing is open; True when it is now."""
    books = Tally.objects.filter(origin_kind=ORIGIN, origin_id=pk)
    if books.exclude(queued=0, sending=0).exists():
        return False
    rows = Notification.objects.sending().filter(pk=pk, expanded_at__isnull=False)
    return bool(rows.update(stage=Stage.DONE, finished_at=timezone.now()))


def unfinished(now: datetime) -> Iterable[int]:
    """Notifications that may be done although nobody has called `finish`."""
    return Notification.objects.sending().filter(expanded_at__lt=now).values_list("pk", flat=True)
