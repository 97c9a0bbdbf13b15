"""The circuit breaker: a channel whose receiver answers nothing is paused, then tried one by one.

Each loop counts for itself (dispatch/health.py). The pause stands in the channel's row, for all
loops of all hosts: until ``paused_until`` nothing leaves, then one row goes out as a probe, whose
end decides. Each change is conditional on what its maker saw, so whoever comes late changes
nothing.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from channels_app.dispatch.health import Change, Finding, Probe
from channels_app.models import Channel
from channels_app.models.channel import ChannelQuerySet
from project.access.audit import Actor, record
from project.hints import hint

# The wait for the first probe doubles with each that fails, and goes on doubling where the
# channel fails again within LONGEST of its return: its owner is not told of the same every minute.
SHORTEST, LONGEST = timedelta(seconds=30), timedelta(minutes=10)
# Longer than any request: who takes a probe and dies with it leaves the next one to others.
PROBE_LEASE = timedelta(seconds=60)
# Before a probe for which no row could be taken is looked for again.
BREATH = timedelta(seconds=1)

BY = Actor.hub("dispatch")
# What the row of a channel says that has no pause behind it.
UNPAUSED = {"paused_since": None, "paused_until": None, "pause_error": "", "pause_step": 0}


# --- probes -------------------------------------------------------------------------------------


def take_probe(channel: Channel, now: datetime) -> Probe | None:
    """Take the right to send one row over a paused channel; None where another loop has it.

    ``channel`` as read in this turn: its pause has come to where a probe may leave.
    """
    until = now + PROBE_LEASE
    if channel.paused_since is None or not _same_pause(channel, channel.paused_since).filter(
        paused_until=channel.paused_until
    ).update(paused_until=until):
        return None
    return Probe(channel.paused_since, until, channel.pause_step)


def put_back(channel: Channel, probe: Probe, now: datetime) -> None:
    """Let others look for a row: there was none that could be taken."""
    _held(channel, probe).update(paused_until=now + BREATH)


def try_now(channel: Channel) -> bool:
    """Let a paused channel's probe leave at once; False where the channel is not paused."""
    return bool(Channel.objects.paused().filter(pk=channel.pk).update(paused_until=timezone.now()))


# --- what is written ----------------------------------------------------------------------------


def carry_out(change: Change, now: datetime) -> None:
    """Write down what a try's end means for its channel, once for all loops."""
    channel, probe = change.channel, change.probe
    if change.finding is Finding.DEAD:
        _pause(channel, change.error, now)
    elif change.finding is Finding.GONE:
        _close(channel, change.error)
    elif probe is not None:
        match change.finding:
            case Finding.PROBE_ANSWERED:
                _resume(channel, probe, now)
            case Finding.PROBE_FAILED:
                wait = _longer(probe.waited)
                _held(channel, probe).update(
                    paused_until=now + timedelta(seconds=wait),
                    pause_step=wait,
                    pause_error=change.error,
                )
            case _:
                _held(channel, probe).update(paused_until=now)


def _pause(seen: Channel, error: str, now: datetime) -> None:
    with transaction.atomic():
        channel = _lock(seen)
        # Who has changed it meanwhile has met none of these failures.
        if channel is None or channel.paused_since or channel.updated_at != seen.updated_at:
            return
        relapse = channel.returned_at is not None and now - channel.returned_at < LONGEST
        wait = _longer(channel.pause_step if relapse else 0)
        Channel.objects.filter(pk=channel.pk).update(
            paused_since=now,
            paused_until=now + timedelta(seconds=wait),
            pause_step=wait,
            pause_error=error,
        )
        _tell(channel, "channel.pause", error=error, seconds=wait)


def _resume(seen: Channel, probe: Probe, now: datetime) -> None:
    with transaction.atomic():
        ended = _same_pause(seen, probe.since).update(
            paused_since=None, paused_until=None, pause_error="", returned_at=now
        )
        if ended:
            _tell(seen, "channel.return", paused_since=probe.since.isoformat())
            hint("channels_app.tasks.drain")  # much may have come together


def _close(seen: Channel, error: str) -> None:
    """Let the channel rest: its receiver wants no more messages."""
    with transaction.atomic():
        channel = _lock(seen)
        if channel is None or channel.updated_at != seen.updated_at:
            return
        Channel.objects.filter(pk=channel.pk).update(
            is_active=False, updated_at=timezone.now(), **UNPAUSED
        )
        _tell(channel, "channel.gone", error=error)


def _tell(channel: Channel, action: str, **details: object) -> None:
    entry = record(BY, action, tenant=channel.tenant, target=channel, **details)
    hint("channels_app.tasks.tell_owner", entry.pk)


def _lock(seen: Channel) -> Channel | None:
    """Hold the channel's row until the commit; None where it rests or is gone."""
    rows = (
        Channel.objects.active()
        .select_for_update(of=("self",), no_key=True)
        .select_related("tenant")
    )
    return rows.filter(pk=seen.pk).first()


def _same_pause(channel: Channel, since: datetime) -> ChannelQuerySet:
    return Channel.objects.active().filter(pk=channel.pk, paused_since=since)


def _held(channel: Channel, probe: Probe) -> ChannelQuerySet:
    """The channel, as long as this probe is its last one."""
    return _same_pause(channel, probe.since).filter(paused_until=probe.until)


def _longer(seconds: int) -> int:
    """Return the wait after one of so many seconds; after none, the first."""
    shortest, longest = int(SHORTEST.total_seconds()), int(LONGEST.total_seconds())
    return min(max(shortest, 2 * seconds), longest)
