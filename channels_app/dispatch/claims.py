"""Claiming: which due rows go out next, fairly over the channels."""

import time
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction

from channels_app import vendor_tokens
from channels_app.connectors.base import Connector, Credentials, HttpConnector, connector_for
from channels_app.dispatch.health import Health
from channels_app.dispatch.results import try_of
from channels_app.exit import policy_for
from channels_app.http import AddressPolicy
from channels_app.models import Channel, Delivery, statements
from channels_app.vendor_tokens import Held

# A lease outlives its worker by this much at most; who is alive renews it (dispatch/drain.py).
LEASE = timedelta(seconds=30)
# One of so many places is a retry's, and retries hold no more than that share of the window.
RETRY_SHARE = 4
# Under a rate limit, what was not used lately may be made up for: at once up to this much of a
# second, or one message; and what fell due between two looks is not lost to the next.
BURST, LOOKS = timedelta(milliseconds=250), timedelta(milliseconds=200)
ASK_AGAIN = 2.0  # seconds after which a loop asks for an access token once more


class Lane:
    """A channel as one dispatch loop sees it: its connector, its opened secrets, its load."""

    def __init__(self, channel: Channel) -> None:
        self.flying: set[int] = set()  # the tries under way, by their numbers
        self.retrying: set[int] = set()  # those of them that are retries
        self.has_spare = True  # first tries left room, the last time
        self.owed = 0  # places that retries did not get yet of their share, times RETRY_SHARE
        self._open(channel)

    def _open(self, channel: Channel) -> None:
        # All or nothing: a lane that can't be opened anew must not go on as it was.
        opened = connector_for(channel.kind), Credentials.of(channel), policy_for(channel)
        self.connector: Connector
        self.policy: AddressPolicy
        self.connector, self.credentials, self.policy = opened
        self.channel = channel
        connector = self.connector
        self.needs_token = isinstance(connector, HttpConnector) and connector.needs_token
        self.token: Held | None = None
        self.asked_at = float("-inf")  # for a token; as time.monotonic
        self.health = Health()  # what was met before the change says nothing of it

    @classmethod
    def of(cls, pk: int) -> "Lane":
        return cls(Channel.objects.select_related("tenant").get(pk=pk))

    def refresh(self, changed_at: datetime) -> None:
        """Read the channel anew if it was changed: that and opening its secrets cost time."""
        if changed_at != self.channel.updated_at:
            self._open(Channel.objects.select_related("tenant").get(pk=self.channel.pk))

    def has_token(self, now: datetime) -> bool:
        """Whether requests can leave that need an access token.

        One that is missing, or good for little longer, is asked for; nobody waits for it here.
        """
        if self.token is None or self.token.good_until <= now:
            self.token = vendor_tokens.held(self.channel.pk, now)
            value = self.token.value if self.token else ""
            self.credentials = replace(self.credentials, token=value)
        if self.token is None or self.token.renew_at <= now:
            began = time.monotonic()
            if began - self.asked_at >= ASK_AGAIN:
                self.asked_at = began
                vendor_tokens.ask(self.channel.pk, now)
        return self.token is not None

    def lose_token(self, sent_at: datetime) -> vendor_tokens.Held | None:
        """Use the token no more that was refused, and return it; None: it was an earlier one."""
        lost = self.token
        if lost is None or lost.obtained_at > sent_at:
            return None
        self.token, self.asked_at = None, float("-inf")
        return lost

    @property
    def free(self) -> int:
        return self.channel.max_in_flight - len(self.flying)

    def took(self, delivery: Delivery) -> None:
        # By the way round Django's checks.
        delivery._state.fields_cache = {"channel": self.channel}
        key = try_of(delivery)
        self.flying.add(key)
        if delivery.attempt_count > 1:
            self.retrying.add(key)

    def landed(self, key: int) -> None:
        """Take note of the end of a try, by its number."""
        self.flying.discard(key)
        self.retrying.discard(key)


def claim(lane: Lane, room: int, *, now: datetime, holder: str) -> list[Delivery]:
    """Take what may go out over this channel now: at most ``room``, within its own limits.

    Retries get their share of the places and what first tries leave, so that neither they nor the
    first tries wait behind the others. They never hold more than that share of the channel's
    window, for where many fail many hang.
    """
    room = min(room, lane.free)
    if room <= 0:
        return []
    if not lane.channel.rate_limit:
        taken = _take(lane, room, now, holder)
    else:
        with transaction.atomic():
            room = min(room, _paced_room(lane.channel, now))
            taken = _take(lane, room, now, holder) if room else []
            _pace(lane.channel, len(taken), now)
    for delivery in taken:
        lane.took(delivery)
    return taken


def _take(lane: Lane, room: int, now: datetime, holder: str) -> list[Delivery]:
    most = max(1, lane.channel.max_in_flight // RETRY_SHARE) - len(lane.retrying)
    # Of a single place each time, every fourth: what a share leaves over is carried on.
    share = most if lane.has_spare else (lane.owed + room) // RETRY_SHARE
    taken = statements.claim(
        lane.channel.pk,
        room=room,
        retries=min(share, most),
        now=now,
        lease_until=now + LEASE,
        holder=holder,
    )
    retries = sum(delivery.attempt_count > 1 for delivery in taken)
    lane.owed = min(lane.owed + room - RETRY_SHARE * retries, RETRY_SHARE)
    had_spare, lane.has_spare = lane.has_spare, len(taken) < room
    if not taken and not had_spare:  # no first tries: are there retries beyond their share?
        return _take(lane, room, now, holder)
    return taken


def _paced_room(channel: Channel, now: datetime) -> int:
    """How many messages the rate limit lets out now; holds the channel's row until commit."""
    # Without the key: who adds deliveries refers to the channel, and may hold what we need next.
    row = Channel.objects.select_for_update(of=("self",), no_key=True).get(pk=channel.pk)
    if not row.is_active:
        return 0
    floor = now - max(BURST, _step(channel) + LOOKS)
    channel.paced_until = max(row.paced_until or floor, floor)
    owed = int((now - channel.paced_until) / _step(channel))
    return max(0, min(owed, max(1, int(BURST / _step(channel)))))


def _pace(channel: Channel, count: int, now: datetime) -> None:
    if count:
        channel.paced_until = (channel.paced_until or now) + count * _step(channel)
        Channel.objects.filter(pk=channel.pk).update(paced_until=channel.paced_until)


def _step(channel: Channel) -> timedelta:
    return timedelta(seconds=1) / channel.rate_limit
