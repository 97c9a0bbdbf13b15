"""Whose turn it is: the channels that have something due, each with its lane."""

import logging
import time
from collections.abc import Iterator

from django.utils import timezone

from channels_app.dispatch.claims import Lane
from channels_app.models import statements
from channels_app.models.statements import Due
from channels_app.secrets import SecretsUnreadable

log = logging.getLogger(__name__)

ASK = 0.05  # seconds between questions which channels have something due
TOKEN_REST = 0.2  # seconds before a channel that had no access token is looked at again
REST = 5.0  # seconds before a channel that could not be used is looked at again


class Rotation:
    """The channels as one dispatch loop goes round them.

    A channel that gave something is taken to have more, until it is `done` or all are asked for
    anew.
    """

    def __init__(self) -> None:
        self._lanes: dict[int, Lane] = {}
        self._due: dict[int, Due] = {}
        self._asked_at = float("-inf")
        self._unusable: dict[int, float] = {}  # and when each is to be looked at again
        self._tokenless: dict[int, float] = {}  # likewise
        self._turns = 0

    def lanes(self) -> Iterator[tuple[Lane, Due]]:
        """Go round once, leaving out what can't be used.

        It begins with another channel each time, so that nobody's name comes first for ever.
        """
        if not self._due or time.monotonic() - self._asked_at >= ASK:
            self._due = statements.channels_due(timezone.now())
            self._asked_at = time.monotonic()
        self._turns += 1
        channels = sorted(self._due.items())
        first = self._turns % max(1, len(channels))
        for pk, due in channels[first:] + channels[:first]:
            lane = self._lane(pk, due)
            if lane is not None:
                yield lane, due

    def done(self, lane: Lane) -> None:
        """There is nothing to take over this channel for now."""
        self._due.pop(lane.channel.pk, None)

    def forget(self) -> None:
        """Ask anew before the next round: a channel's standing has changed."""
        self._due.clear()

    def _lane(self, pk: int, due: Due) -> Lane | None:
        """Return the channel's lane; None where it waits.

        Its kind or secrets are unusable, or it has no access token yet.
        """
        if max(self._unusable.get(pk, 0), self._tokenless.get(pk, 0)) > time.monotonic():
            return None
        try:
            lane = self._lanes.get(pk)
            if lane is None:
                lane = self._lanes[pk] = Lane.of(pk)
            lane.refresh(due.changed_at)
        except (KeyError, SecretsUnreadable):
            if pk not in self._unusable:  # said once, not at each look
                log.exception("Channel %s can't be used; its deliveries wait.", pk)
            self._unusable[pk] = time.monotonic() + REST
            return None
        self._unusable.pop(pk, None)
        if lane.needs_token and not lane.has_token(timezone.now()):
            self._tokenless[pk] = time.monotonic() + TOKEN_REST
            return None
        return lane
