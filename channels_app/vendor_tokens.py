"""Access tokens that vendors give us: fetched once for all workers, dropped when refused.

A token is a row (`VendorToken`), so that workers and hosts share it, also without Redis. A
dispatch loop takes it from there and never waits for one: it asks for it by a hint, and a task
fetches it while the channel's deliveries wait. Whoever moves the row's ``next_try_at`` on may
fetch, so one does at a time, and no sooner than after the last failures' wait.
"""

import logging
from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils import timezone

from channels_app.connectors.base import (
    Credentials,
    HttpConnector,
    Rejected,
    Token,
    Unavailable,
    connector_for,
)
from channels_app.exit import policy_for
from channels_app.http import TransportError, fetch
from channels_app.http.headers import storable
from channels_app.models import Channel, VendorToken
from channels_app.secrets import SecretsUnreadable, seal
from project.hints import hint

log = logging.getLogger(__name__)

TIMEOUT = 10.0  # seconds that the far end gets for it
LEASE = timedelta(seconds=20)  # longer than that: who dies while fetching leaves it to others
RENEW = timedelta(minutes=3)  # before it is used no more, a token is renewed
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=5)  # after failures; doubled
# A token that is refused so soon is no old one: another would fare no better.
FRESH = timedelta(minutes=1)
REFUSED = "The far end refuses the access token that it has just given."


class Held(NamedTuple):
    """A token in a loop's hands."""

    value: str
    obtained_at: datetime
    renew_at: datetime
    good_until: datetime


def held(channel: int, now: datetime) -> Held | None:
    """Return the channel's token; None where there is none that is good."""
    row = VendorToken.objects.filter(channel=channel).first()
    return _open(row, now) if row else None


def ask(channel: int, now: datetime) -> None:
    """Have a worker fetch a token, unless one has to wait with it."""
    if not VendorToken.objects.filter(channel=channel, next_try_at__gt=now).exists():
        hint("channels_app.vendor_tokens.fetch_token", channel)


def fetch_token(channel: int) -> None:
    """Fetch a token for the channel, where it has none or it ends soon, and wake the loops."""
    try:
        found = Channel.objects.select_related("tenant").filter(pk=channel).first()
        if found is not None and renew(found):
            hint("channels_app.tasks.drain")
    except Exception:
        log.exception("An access token was not fetched; the next loop asks for it again.")


def renew(channel: Channel) -> bool:
    """Fetch a token if it is time for it; True where there is a new one."""
    now = timezone.now()
    row, _ = VendorToken.objects.get_or_create(channel=channel, defaults={"next_try_at": now})
    # As it is since there is the row: who changes the channel later takes the row away.
    channel = Channel.objects.select_related("tenant").get(pk=channel.pk)
    token = _open(row, now)
    if token is not None and token.renew_at > now:
        return False
    ours = VendorToken.objects.filter(pk=row.pk, next_try_at__lte=now)
    if not ours.update(next_try_at=now + LEASE):
        return False  # another one fetches, or it has to wait
    try:
        token_now = _fetch(channel, now)
    except (Rejected, Unavailable, TransportError, SecretsUnreadable) as error:
        _note_failure(row, str(error), now, getattr(error, "retry_after", None))
        return False
    # Where the channel was changed meanwhile the row is gone, and with it what is for the old one.
    return bool(
        VendorToken.objects.filter(pk=row.pk).update(
            sealed=seal({"token": token_now.value}),
            obtained_at=now,
            expires_at=now + token_now.lifetime,
            next_try_at=now,
            # What was refused at once may be again: then the waits go on growing.
            failures=row.failures if row.error == REFUSED else 0,
            error="",
        )
    )


def drop(channel: int, refused: Held, *, now: datetime) -> None:
    """Give up the token that a request carried in vain.

    One that was fetched since is another one, and stays: a loop may go on for long with a token
    that others have given up already.
    """
    rows = VendorToken.objects.filter(channel=channel, obtained_at=refused.obtained_at)
    row = rows.exclude(sealed="").first()
    if row is None or row.obtained_at is None:
        return
    failures = row.failures + 1 if now - row.obtained_at < FRESH else 0
    dropped = VendorToken.objects.filter(pk=row.pk, obtained_at=row.obtained_at).update(
        sealed="",
        expires_at=None,
        failures=failures,
        error=REFUSED if failures else "",
        next_try_at=now + _wait(failures),
    )
    if dropped and failures == 1:
        log.warning("Channel %s: %s", channel, REFUSED)


def forget(channel: Channel) -> None:
    """What was changed of the channel may be what the token was asked for with."""
    VendorToken.objects.filter(channel=channel).delete()


def _fetch(channel: Channel, now: datetime) -> Token:
    connector, credentials = connector_for(channel.kind), Credentials.of(channel)
    if not isinstance(connector, HttpConnector):
        raise TypeError(f"{connector.kind} needs no access token.")
    request = connector.token_request(credentials, now)._replace(timeout=TIMEOUT)
    return connector.token(fetch(request, policy_for(channel)))


def _note_failure(
    row: VendorToken, error: str, now: datetime, retry_after: timedelta | None
) -> None:
    failures = min(row.failures + 1, 1000)
    wait = max(_wait(failures), retry_after or timedelta())
    VendorToken.objects.filter(pk=row.pk).update(
        failures=failures, error=storable(error)[:200], next_try_at=now + wait
    )
    if failures == 1:  # said once; the channel's page says it all the time
        log.warning("Channel %s got no access token: %s", row.channel_id, error)


def _wait(failures: int) -> timedelta:
    """Return how long to wait after so many failures in a row; after none, not at all."""
    if not failures:
        return timedelta()
    return min(FIRST_WAIT * (1 << min(failures - 1, 10)), LONGEST_WAIT)


def _open(row: VendorToken, now: datetime) -> Held | None:
    until = row.good_until
    if until is None or until <= now or row.obtained_at is None:
        return None
    try:
        value = row.plain
    except SecretsUnreadable:
        return None  # sealed with a key that is gone: a new one is the way out
    # One that lives for a short time only is renewed when half of that is over.
    renew_at = until - min(RENEW, (until - row.obtained_at) / 2)
    return Held(value, row.obtained_at, renew_at, until)
