"""Expansion: an audience becomes deliveries, in batches, each rendered as it will be sent."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from channels_app.connectors.base import connector_for
from channels_app.models import Channel, Delivery, State, Tally
from channels_app.services import enqueue, open_books
from notifications.audience import Audience, default_channel
from notifications.models import ORIGIN, Address, Notification, OptOut, Recipient, Stage
from notifications.models.recipient import EVERY_KIND
from notifications.rendering import render_for, source_of, values_of
from notifications.text.content import ContentError, ContentSource

BATCH = 2000  # people a transaction
DENSE = 4  # numbers for each person of a batch; with more, most rows of its range are others'


def expand_batch(pk: int) -> int | None:
    """Turn the next people of a notification into deliveries; None when there are no more.

    The rows, the books and how far it got are one commit, so an expansion that is cut off, or
    run twice at once, goes on where the last commit ended: nobody is left out or added twice.
    """
    with transaction.atomic():
        notification = (
            Notification.objects.expanding()
            .select_for_update(of=("self",))
            .select_related("tenant", "channel", "template__template")
            .filter(pk=pk)
            .first()
        )
        if notification is None:
            return None
        open_books(notification.tenant, ORIGIN, pk)
        people = _next_people(notification)
        if people:
            enqueue(_Batch.of(notification, people).deliveries(), kind=ORIGIN, pk=pk)
            notification.expanded_to = people[-1].pk
        else:
            notification.expanded_at = timezone.now()
        notification.save(update_fields=["expanded_to", "expanded_at", "updated_at"])
    return len(people) or None


def finish(pk: int) -> bool:
    """Call it done once everybody is expanded and nothing is open; True when it is now."""
    books = Tally.objects.filter(origin_kind=ORIGIN, origin_id=pk)
    if books.exclude(queued=0, sending=0).exists():
        return False
    rows = Notification.objects.sending().filter(pk=pk, expanded_at__isnull=False)
    return bool(rows.update(stage=Stage.DONE, finished_at=timezone.now()))


def _next_people(notification: Notification) -> list[Recipient]:
    audience = Audience.from_json(notification.audience)
    people = audience.recipients(notification.tenant).filter(pk__gt=notification.expanded_to)
    fields = ["pk", "login", "name", "locale", "time_zone", "last_channel_id"]
    return list(people.order_by("pk").only(*fields)[:BATCH])


@dataclass(frozen=True, slots=True)
class _Batch:
    """Some people of one notification, with all that is needed to decide for each of them."""

    notification: Notification
    people: list[Recipient]
    content: ContentSource | None  # None: it can't be read any more; ``problem`` says why
    problem: str
    channels: dict[int, Channel]
    fallback: Channel
    addresses: dict[tuple[int, str], str]
    opted_out: set[tuple[int, str]]
    now: datetime

    @classmethod
    def of(cls, notification: Notification, people: list[Recipient]) -> "_Batch":
        ids = [person.pk for person in people]
        # Neighbours are read as a range, which is quicker; a few people of many by their names.
        dense = ids[-1] - ids[0] < DENSE * len(ids)
        within: dict[str, Any] = (
            {"recipient_id__gte": ids[0], "recipient_id__lte": ids[-1]}
            if dense
            else {"recipient_id__in": ids}
        )
        channels = Channel.objects.of(notification.tenant).active().in_bulk()
        if notification.channel is not None:
            channels, fallback = {}, notification.channel
        else:
            # The default was there when this was composed; should it be gone, any is better
            # than none: the log must say of each person what became of the message.
            fallback = default_channel(notification.tenant) or Channel.objects.of(
                notification.tenant
            ).earliest("pk")
        kinds = {channel.kind for channel in [*channels.values(), fallback]}
        addresses = Address.objects.filter(kind__in=kinds, **within)
        opted_out = OptOut.objects.filter(kind__in=[*kinds, EVERY_KIND], **within)
        content, problem = None, ""
        try:
            content = source_of(notification).bind(values_of(notification))
        except ContentError as error:
            problem = str(error)
        return cls(
            notification=notification,
            people=people,
            content=content,
            problem=problem,
            channels=channels,
            fallback=fallback,
            addresses={
                (recipient, kind): value
                for recipient, kind, value in addresses.values_list("recipient_id", "kind", "value")
            },
            opted_out=set(opted_out.values_list("recipient_id", "kind")),
            now=timezone.now(),
        )

    def deliveries(self) -> list[Delivery]:
        return [self._delivery(person) for person in self.people]

    def _delivery(self, person: Recipient) -> Delivery:
        channel = self.channels.get(person.last_channel_id or 0) or self.fallback
        delivery = Delivery(
            tenant=self.notification.tenant,
            channel=channel,
            origin_kind=ORIGIN,
            origin_id=self.notification.pk,
            recipient_id=person.pk,
            recipient=person.login,
            address=self._address(person, channel),
            payload={},
            priority=self.notification.priority,
            due_at=self.now,
            deadline=self.now + channel.lifetime,
            created_at=self.now,
        )
        if self._is_out(person, channel.kind):
            return self._closed(delivery, State.SUPPRESSED, "Opted out.")
        if not delivery.address:
            return self._closed(delivery, State.FAILED, f"No address for {channel.name}.")
        if self.content is None:
            return self._closed(delivery, State.FAILED, self.problem)
        try:
            delivery.payload = render_for(
                self.content, person, self.notification.tenant, subject=self.notification.title
            )
        except ContentError as error:
            return self._closed(delivery, State.FAILED, str(error))
        return delivery

    def _address(self, person: Recipient, channel: Channel) -> str:
        own = self.addresses.get((person.pk, channel.kind))
        if own is None and connector_for(channel.kind).login_is_address:
            return person.login
        return own or ""

    def _is_out(self, person: Recipient, kind: str) -> bool:
        return (person.pk, kind) in self.opted_out or (person.pk, EVERY_KIND) in self.opted_out

    def _closed(self, delivery: Delivery, state: State, reason: str) -> Delivery:
        delivery.state, delivery.reason, delivery.settled_at = state, reason[:200], self.now
        return delivery


def unfinished(now: datetime) -> Iterable[int]:
    """Notifications that may be done although nobody has called `finish`."""
    return Notification.objects.sending().filter(expanded_at__lt=now).values_list("pk", flat=True)
