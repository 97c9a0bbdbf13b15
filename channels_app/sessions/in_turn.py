"""Doing the same to many sessions, one after another, without holding up what else is due."""

import logging
import time
from collections.abc import Callable

from channels_app.models.session import SessionQuerySet

log = logging.getLogger(__name__)

MOST = 5_000  # sessions that are read at once
LONGEST = 10.0  # seconds of a sweep; the next one goes on


def in_turn(
    sessions: SessionQuerySet, deed: Callable[[int], object], *, seconds: float = LONGEST
) -> int:
    """Do it to each by its key, in the query's order, for so long, whatever becomes of the others.

    Returns how many went well. What fails is left as it is for the next sweep.
    """
    ends, done = time.monotonic() + seconds, 0
    for pk in list(sessions.values_list("pk", flat=True)[:MOST]):
        if time.monotonic() > ends:
            break
        try:
            deed(pk)
            done += 1
        except Exception:
            log.exception("Session %s was left as it is; the sweep tries again.", pk)
    return done
