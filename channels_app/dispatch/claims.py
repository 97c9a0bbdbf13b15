"""Claiming: which due rows go out next, fairly over the channels."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef

from channels_app.connectors.base import Connector, Credentials, connector_for
from channels_app.dispatch.settle import Origin, shift_tallies
from channels_app.exit import policy_for
from channels_app.http import AddressPolicy
from channels_app.models import Channel, Delivery, State, Tally
from channels_app.models.channel import ChannelQuerySet
from channels_app.models.delivery import DeliveryQuerySet

# A lease outlives its worker by this much at most; who is alive renews it (dispatch/drain.py).
LEASE = timedelta(seconds=30)
# A channel's retries hold at most this share of its window while first tries wait.
RETRY_SHARE = 4
# Under a rate limit, what was not used lately may be made up for, up to this much of a second.
BURST = timedelta(milliseconds=250)


class Lane:
    """A channel as one dispatch loop sees it: its connector, its opened secrets, its load."""

    def __init__(self, channel: Channel) -> None:
        self.flying: set[int] = set()  # ids of the deliveries under way
        self.retrying: set[int] = set()  # those of them that are retries
        self._open(channel)

    def _open(self, channel: Channel) -> None:
        self.channel = channel
        self.connector: Connector = connector_for(channel.kind)
        self.credentials = Credentials.of(channel)
        self.policy: AddressPolicy = policy_for(channel)

    def refresh(self, channel: Channel) -> None:
        """Read the channel anew if it was changed: opening secrets costs a decryption."""
        if channel.updated_at != self.channel.updated_at:
            self._open(channel)

    @property
    def free(self) -> int:
        return self.channel.max_in_flight - len(self.flying)

    def took(self, delivery: Delivery) -> None:
        delivery.channel = self.channel
        self.flying.add(delivery.pk)
        if delivery.attempt_count > 1:
            self.retrying.add(delivery.pk)

    def landed(self, delivery: Delivery) -> None:
        self.flying.discard(delivery.pk)
        self.retrying.discard(delivery.pk)


def channels_due(now: datetime) -> ChannelQuerySet:
    """Active channels with something to claim."""
    due = Delivery.objects.due(now).filter(channel=OuterRef("pk"))
    return Channel.objects.active().filter(Exists(due)).select_related("tenant")


def claim(lane: Lane, room: int, *, now: datetime, holder: str) -> list[Delivery]:
    """Take what may go out over this channel now: at most ``room``, within its own limits.

    Retries have a share of the channel's window of their own, so that neither they nor the
    first tries wait behind the others.
    """
    room = min(room, lane.free)
    if room <= 0:
        return []
    with transaction.atomic():
        if lane.channel.rate_limit:
            room = min(room, _paced_room(lane.channel, now))
        rows = _without_halted(Delivery.objects.filter(channel=lane.channel).due(now).in_turn())
        lease_until = now + LEASE
        share = max(1, lane.channel.max_in_flight // RETRY_SHARE) - len(lane.retrying)
        retries = rows.retries().claim(
            min(room, share), now=now, lease_until=lease_until, holder=holder
        )
        first = rows.first_tries().claim(
            room - len(retries), now=now, lease_until=lease_until, holder=holder
        )
        taken = retries + first
        if lane.channel.rate_limit:
            _pace(lane.channel, len(taken), now)
        shift_tallies(_moves(taken))
    for delivery in taken:
        lane.took(delivery)
    return taken


def _without_halted(rows: DeliveryQuerySet) -> DeliveryQuerySet:
    """Leave out what was stopped; its rows are cancelled in batches, which takes its time."""
    halted: dict[str, list[int]] = defaultdict(list)
    for kind, pk in Tally.objects.halted().values_list("origin_kind", "origin_id"):
        halted[kind].append(pk)
    for kind, pks in halted.items():
        rows = rows.exclude(origin_kind=kind, origin_id__in=pks)
    return rows


def _moves(taken: list[Delivery]) -> dict[Origin, Counter[str]]:
    moves: dict[Origin, Counter[str]] = defaultdict(Counter)
    for delivery in taken:
        moves[delivery.origin_kind, delivery.origin_id].update({State.QUEUED: -1, State.SENDING: 1})
    return moves


def _paced_room(channel: Channel, now: datetime) -> int:
    """How many messages the rate limit lets out now; holds the channel's row until commit."""
    row = Channel.objects.select_for_update(of=("self",)).get(pk=channel.pk)
    channel.paced_until = max(row.paced_until or now - BURST, now - BURST)
    return max(0, int((now - channel.paced_until) / _step(channel)))


def _pace(channel: Channel, count: int, now: datetime) -> None:
    if count:
        channel.paced_until = (channel.paced_until or now) + count * _step(channel)
        Channel.objects.filter(pk=channel.pk).update(paced_until=channel.paced_until)


def _step(channel: Channel) -> timedelta:
    return timedelta(seconds=1) / channel.rate_limit
