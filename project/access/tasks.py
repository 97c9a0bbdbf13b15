"""What the workers' clock has done for access."""

import logging
from contextlib import suppress

from django.core.cache import cache
from oauth2_provider.models import clear_expired

log = logging.getLogger(__name__)

CLEARED_EVERY = 3600  # seconds
CLEARED = "access-tokens-cleared"


def sweep() -> None:
    """Remove access tokens that have ended; each system leaves some behind each hour."""
    try:
        if cache.add(CLEARED, 1, CLEARED_EVERY):
            clear_expired()
    except Exception:
        log.exception("Ended access tokens were not removed; the sweep tries again.")
        with suppress(Exception):
            cache.delete(CLEARED)
