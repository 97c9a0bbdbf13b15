"""Claiming: which due rows go out next, fairly over the channels."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Exists, OuterRef

from channels_app.connectors.base import Connector, Credentials, connector_for
from channels_app.dispatch.results import try_of
from channels_app.dispatch.settle import Origin, shift_tallies
from channels_app.exit import policy_for
from channels_app.http import AddressPolicy
from channels_app.models import Channel, Delivery, State, Tally
from channels_app.models.channel import ChannelQuerySet
from channels_app.models.delivery import DeliveryQuerySet

# A lease outlives its worker by this much at most; who is alive renews it (dispatch/drain.py).
LEASE = timedelta(seconds=30)
# One of so many places is a retry's, and retries hold no more than that share of the window.
RETRY_SHARE = 4
# Under a rate limit, what was not used lately may be made up for, up to this much of a second
# (and always one message, or a limit of a few a second would let none out).
BURST = timedelta(milliseconds=250)


class Lane:
    """A channel as one dispatch loop sees it: its connector, its opened secrets, its load."""

    def __init__(self, channel: Channel) -> None:
        self.flying: set[int] = set()  # the tries under way, by their numbers
        self.retrying: set[int] = set()  # those of them that are retries
        self.owed = 0  # places that retries did not get yet of their share, times RETRY_SHARE
        self._open(channel)

    def _open(self, channel: Channel) -> None:
        # All or nothing: a lane that can't be opened anew must not go on as it was.
        opened = connector_for(channel.kind), Credentials.of(channel), policy_for(channel)
        self.connector: Connector
        self.policy: AddressPolicy
        self.connector, self.credentials, self.policy = opened
        self.channel = channel

    def refresh(self, channel: Channel) -> None:
        """Read the channel anew if it was changed: opening secrets costs a decryption."""
        if channel.updated_at != self.channel.updated_at:
            self._open(channel)

    @property
    def free(self) -> int:
        return self.channel.max_in_flight - len(self.flying)

    def took(self, delivery: Delivery) -> None:
        delivery.channel = self.channel
        self.flying.add(try_of(delivery))
        if delivery.attempt_count > 1:
            self.retrying.add(try_of(delivery))

    def landed(self, delivery: Delivery) -> None:
        self.flying.discard(try_of(delivery))
        self.retrying.discard(try_of(delivery))


def channels_due(now: datetime) -> ChannelQuerySet:
    """Active channels with something to claim."""
    due = Delivery.objects.due(now).filter(channel=OuterRef("pk"))
    return Channel.objects.active().filter(Exists(due)).select_related("tenant")


def claim(lane: Lane, room: int, *, now: datetime, holder: str) -> list[Delivery]:
    """Take what may go out over this channel now: at most ``room``, within its own limits.

    Retries get their share of the places and what first tries leave, so that neither they nor the
    first tries wait behind the others. They never hold more than that share of the channel's
    window, for where many fail many hang.
    """
    room = min(room, lane.free)
    if room <= 0:
        return []
    with transaction.atomic():
        if lane.channel.rate_limit:
            room = min(room, _paced_room(lane.channel, now))
            if room == 0:
                return []
        rows = _without_halted(Delivery.objects.filter(channel=lane.channel).due(now).in_turn())
        take = partial(DeliveryQuerySet.claim, now=now, lease_until=now + LEASE, holder=holder)
        most = max(1, lane.channel.max_in_flight // RETRY_SHARE) - len(lane.retrying)
        # Of a single place each time, every fourth: what a share leaves over is carried on.
        share = min(room, (lane.owed + room) // RETRY_SHARE, most)
        retries = take(rows.retries(), share)
        first = take(rows.first_tries(), room - len(retries))
        lane.owed = min(lane.owed + room - RETRY_SHARE * len(retries), RETRY_SHARE)
        if len(retries) == max(0, share):  # there may be more of them
            left = room - len(retries) - len(first)
            retries += take(rows.retries(), min(left, most - len(retries)))
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
    floor = now - max(BURST, _step(channel))
    channel.paced_until = max(row.paced_until or floor, floor)
    return max(0, int((now - channel.paced_until) / _step(channel)))


def _pace(channel: Channel, count: int, now: datetime) -> None:
    if count:
        channel.paced_until = (channel.paced_until or now) + count * _step(channel)
        Channel.objects.filter(pk=channel.pk).update(paced_until=channel.paced_until)


def _step(channel: Channel) -> timedelta:
    return timedelta(seconds=1) / channel.rate_limit
