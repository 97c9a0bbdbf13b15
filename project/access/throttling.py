"""How often a system may call."""

import logging
import time

from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from project.access.models import ApiClient

log = logging.getLogger(__name__)

WINDOW = 60  # seconds


class ClientThrottle(BaseThrottle):
    """``ApiClient.rate_limit`` requests in each minute of the clock; 0 is no limit.

    One counter per client and minute, moved by an atomic increment: DRF's own throttle rewrites
    a list of all the minute's requests each time. The cache is shared where it is Redis; on the
    memory of one machine each web process counts for itself. A cache that is down limits nobody.
    """

    def allow_request(self, request: Request, view: APIView) -> bool:
        client = request.auth
        if not isinstance(client, ApiClient) or not client.rate_limit:
            return True
        return counted(f"throttle-{client.pk}") <= client.rate_limit

    def wait(self) -> float:
        return until_next_window()


def until_next_window() -> float:
    """Seconds until the next minute of the clock begins."""
    return WINDOW - time.time() % WINDOW


def counted(who: str) -> int:
    """Count one more in this minute of the clock; returns how many that makes.

    Counts nothing while the cache is down, and then returns 0.
    """
    key = f"{who}-{int(time.time() // WINDOW)}"
    try:
        if count := getattr(cache, "count", None):
            return int(count(key, timeout=2 * WINDOW))
        try:
            return cache.incr(key)
        except ValueError:
            # Whoever is first makes the counter; those who came at the same time move it.
            return 1 if cache.add(key, 1, timeout=2 * WINDOW) else cache.incr(key)
    except Exception:
        log.exception("Requests are not counted: the cache does not answer.")
        return 0
