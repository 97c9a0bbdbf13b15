"""What becomes of each person of a batch: over which channel, to which address, in which words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Self

from channels_app.connectors.base import connector_for
from channels_app.models import Channel, State
from channels_app.models.bulk_insert import Row
from notifications.audience import default_channel
from notifications.models import Address, Notification, OptOut
from notifications.models.recipient import EVERY_KIND
from notifications.rendering import Renderer, source_of, values_of
from notifications.text.content import ContentError

DENSE = 4  # numbers for each person of a batch; with more, most rows of its range are others'
REASON_MAX = 200  # characters
QUEUED, FAILED, SUPPRESSED = (
    state.value for state in (State.QUEUED, State.FAILED, State.SUPPRESSED)
)


class Person(NamedTuple):
    """As much of a Recipient as is needed here."""

    id: int
    login: str
    name: str
    locale: str
    time_zone: str
    last_channel_id: int | None


@dataclass(frozen=True, slots=True)
class Route:
    """A channel, and who of the batch is known on its kind."""

    channel_id: int
    name: str
    login_is_address: bool
    addresses: dict[int, str]
    opted_out: set[int]
    deadline: datetime


class BatchRows:
    """Some people of one notification as rows of the log.

    All that is needed is looked up at once; `rows` asks the database nothing, and may run while
    the database waits for what it yields.
    """

    def __init__(self, notification: Notification, people: Sequence[Person], now: datetime) -> None:
        """``people`` come in the order of their ids."""
        self._people = people
        self._now = now
        self._renderer: Renderer | None = None
        self._problem = ""  # why the content can't be read any more
        try:
            content = source_of(notification).bind(values_of(notification))
            self._renderer = Renderer(content, notification.tenant, subject=notification.title)
        except ContentError as error:
            self._problem = str(error)
        channels, fallback = _channels(notification)
        known = _Known.of(people, {channel.kind for channel in [*channels, fallback]})
        self._routes = {channel.pk: known.over(channel, now) for channel in channels}
        self._fallback = known.over(fallback, now)

    def rows(self) -> Iterator[Row]:
        for person in self._people:
            route = self._routes.get(person.last_channel_id or 0) or self._fallback
            address = route.addresses.get(person.id)
            if address is None:
                address = person.login if route.login_is_address else ""
            payload, state, reason = "{}", QUEUED, ""
            if person.id in route.opted_out:
                state, reason = SUPPRESSED, "Opted out."
            elif not address:
                state, reason = FAILED, f"No address for {route.name}."
            elif self._renderer is None:
                state, reason = FAILED, self._problem
            else:
                try:
                    payload = self._renderer.json_for(person)
                except ContentError as error:
                    state, reason = FAILED, str(error)
            yield Row(
                channel_id=route.channel_id,
                recipient_id=person.id,
                recipient=person.login,
                address=address,
                payload=payload,
                state=state,
                reason=reason[:REASON_MAX],
                deadline=route.deadline,
                settled_at=None if state == QUEUED else self._now,
            )


def _channels(notification: Notification) -> tuple[list[Channel], Channel]:
    """The channels that a person may have used last, and the one for all others."""
    if notification.channel is not None:
        return [], notification.channel
    channels = Channel.objects.of(notification.tenant).for_people()
    # The default was there when this was composed; should it be gone, any is better than none:
    # the log must say of each person what became of the message.
    fallback = default_channel(notification.tenant) or channels.earliest("pk")
    return list(channels.active()), fallback


@dataclass(frozen=True, slots=True)
class _Known:
    """Addresses and opt-outs of some people, by kind."""

    addresses: dict[str, dict[int, str]]
    opted_out: dict[str, set[int]]

    @classmethod
    def of(cls, people: Sequence[Person], kinds: set[str]) -> Self:
        ids = [person.id for person in people]
        # Neighbours are read as a range, which is quicker; a few people of many by their names.
        dense = ids[-1] - ids[0] < DENSE * len(ids)
        within: dict[str, Any] = (
            {"recipient_id__gte": ids[0], "recipient_id__lte": ids[-1]}
            if dense
            else {"recipient_id__in": ids}
        )
        known = cls({kind: {} for kind in kinds}, {kind: set() for kind in [*kinds, EVERY_KIND]})
        addresses = Address.objects.filter(kind__in=kinds, **within)
        for kind, person, value in addresses.values_list("kind", "recipient_id", "value"):
            known.addresses[kind][person] = value
        opted_out = OptOut.objects.filter(kind__in=[*kinds, EVERY_KIND], **within)
        for kind, person in opted_out.values_list("kind", "recipient_id"):
            known.opted_out[kind].add(person)
        return known

    def over(self, channel: Channel, now: datetime) -> Route:
        return Route(
            channel_id=channel.pk,
            name=channel.name,
            login_is_address=connector_for(channel.kind).login_is_address,
            addresses=self.addresses[channel.kind],
            opted_out=self.opted_out[channel.kind] | self.opted_out[EVERY_KIND],
            deadline=now + channel.lifetime,
        )
