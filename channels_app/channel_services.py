"""What is done with channels: made, changed, rested, rotated, removed."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from channels_app.channel_settings import check_settings
from channels_app.connectors.base import Setting, connector_for
from channels_app.dispatch.breaker import UNPAUSED, try_now
from channels_app.models import Channel
from channels_app.secrets import SecretsUnreadable, reseal
from channels_app.signing_keys import signing_key
from channels_app.tasks import wake
from channels_app.vendor_tokens import forget
from project.access.audit import Actor, record
from project.access.models import Tenant

_FORM_FIELDS = (
    "name",
    "external_id",
    "is_default",
    "client",
    "settings",
    "lifetime",
    "max_in_flight",
    "rate_limit",
    "owner",
)


class ChannelInUse(Exception):
    """Something in the log or in a draft still points at the channel."""


def create_channel(
    channel: Channel, *, by: Actor, secrets: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Store a new channel, making the secrets that its kind generates.

    Returns those of them that the far end must hold too: they are shown nowhere else. Raises
    ValidationError.
    """
    given = {name: value for name, value in (secrets or {}).items() if value}
    connector = connector_for(channel.kind)
    made = {
        setting.name: connector.new_secret(setting.name)
        for setting in connector.settings
        if setting.generate and setting.name not in given
    }
    held = {**given, **made}
    check_settings(channel, held)
    if held:
        channel.keep_secrets(held)
    with transaction.atomic():
        _make_room_for_default(channel)
        channel.save(force_insert=True)
        record(by, "channel.add", tenant=channel.tenant, target=channel, kind=channel.kind)
    return {name: made[name] for name in _shared(channel) if name in made}


def change_channel(
    channel: Channel,
    *,
    by: Actor,
    secrets: Mapping[str, str] | None = None,
    changed: Sequence[str] = (),
) -> None:
    """Store what was changed in ``channel``. Raises ValidationError.

    Secrets not given stay, those given as empty are removed. ``changed`` names the fields, for
    the audit trail.
    """
    given = secrets or {}
    with transaction.atomic():
        # Rotations and pacing write the same row: take theirs, not what was read before.
        channel.sealed = Channel.objects.select_for_update(no_key=True).get(pk=channel.pk).sealed
        kept = {name: value for name, value in {**_opened(channel), **given}.items() if value}
        check_settings(channel, kept)
        if given:
            channel.keep_secrets(kept)
        _make_room_for_default(channel)
        channel.save(update_fields=[*_FORM_FIELDS, "sealed", "updated_at"])
        _probe_at_once(channel)
        record(by, "channel.change", tenant=channel.tenant, target=channel, fields=sorted(changed))


def set_active(channel: Channel, *, active: bool, by: Actor) -> bool:
    """Rest or resume a channel; False when it was so already. What waited leaves at once.

    A rest ends a pause: who resumes the channel is believed that its receiver is there.
    """
    with transaction.atomic():
        turned = Channel.objects.filter(pk=channel.pk).exclude(is_active=active)
        if not turned.update(is_active=active, updated_at=timezone.now(), **UNPAUSED):
            return False
        channel.is_active = active
        verb = "resume" if active else "rest"
        record(by, f"channel.{verb}", tenant=channel.tenant, target=channel)
        if active:
            transaction.on_commit(wake)
    return True


def rotate(channel: Channel, *, by: Actor, overlap: timedelta) -> dict[str, str]:
    """Make the channel's generated secrets anew; return those that the far end must hold too.

    Where secrets may overlap, the predecessor stays good for ``overlap``; one from an earlier
    rotation ends. But of keys the one that signs goes on until then: what was to follow it has
    signed nothing yet, and receivers may have no other.
    """
    connector = connector_for(channel.kind)
    names = [setting.name for setting in generated(channel)]
    overlapping = {setting.name for setting in generated(channel) if setting.overlaps}
    keys = {setting.name for setting in generated(channel) if setting.kind == "key"}
    made = {name: connector.new_secret(name) for name in names}
    shared = _shared(channel)
    until = (timezone.now() + overlap).isoformat()
    with transaction.atomic():
        channel.sealed = Channel.objects.select_for_update(no_key=True).get(pk=channel.pk).sealed
        secrets = _opened(channel)
        for name in names:
            before = secrets.get(name)
            if name in keys:
                before = signing_key(secrets, name, timezone.now())
            secrets.pop(f"old_{name}", None)
            secrets.pop(f"old_{name}_until", None)
            if overlap and name in overlapping and before:
                secrets[f"old_{name}"] = before
                secrets[f"old_{name}_until"] = until
        channel.keep_secrets({**secrets, **made})
        channel.save(update_fields=["sealed", "updated_at"])
        _probe_at_once(channel)
        record(
            by,
            "channel.rotate",
            tenant=channel.tenant,
            target=channel,
            secrets=names,
            overlap_seconds=int(overlap.total_seconds()),
        )
    return {name: made[name] for name in shared}


def end_overlap(channel: Channel, *, by: Actor) -> bool:
    """End what a rotation left good for a while; False where there is nothing of it any more."""
    with transaction.atomic():
        channel.sealed = Channel.objects.select_for_update(no_key=True).get(pk=channel.pk).sealed
        secrets = channel.secrets
        old = {name for name in secrets if name.startswith("old_")}
        if not old or overlap_ends(channel) is None:
            return False
        channel.keep_secrets({name: secrets[name] for name in secrets if name not in old})
        channel.save(update_fields=["sealed", "updated_at"])
        record(by, "channel.end_overlap", tenant=channel.tenant, target=channel)
    return True


def try_paused(channel: Channel, *, by: Actor) -> bool:
    """Let a paused channel try a message at once; False where it is not paused."""
    with transaction.atomic():
        if not try_now(channel):
            return False
        record(by, "channel.try", tenant=channel.tenant, target=channel)
        transaction.on_commit(wake)
    return True


def generated(channel: Channel) -> list[Setting]:
    """Return the secrets of the channel's kind that Carillon makes itself."""
    return [setting for setting in connector_for(channel.kind).settings if setting.generate]


def overlap_ends(channel: Channel) -> datetime | None:
    """Return until when an earlier secret is still good, or None. Raises SecretsUnreadable."""
    secrets = channel.secrets
    ends = [datetime.fromisoformat(secrets[name]) for name in secrets if name.endswith("_until")]
    return max((end for end in ends if end > timezone.now()), default=None)


def delete_channel(channel: Channel, *, by: Actor) -> None:
    """Remove a channel that nothing points at. Raises ChannelInUse."""
    # Asked first: the ORM would read all protected rows to name them, millions perhaps.
    if channel.deliveries.exists() or channel.chat_messages.exists():
        raise ChannelInUse("Its deliveries are in the log.")
    if channel.sessions.exists() or channel.inbound_events.exists():
        raise ChannelInUse("Its sessions are kept.")
    try:
        with transaction.atomic():
            record(by, "channel.delete", tenant=channel.tenant, target=channel)
            channel.delete()
    except ProtectedError as error:
        raise ChannelInUse("A notification is to go out over it.") from error


def reseal_all(*, by: Actor) -> tuple[int, list[Channel]]:
    """Encrypt all secrets with the newest key. Returns how many, and the channels that no key
    opens, which stay as they are."""
    done, unreadable = 0, []
    for channel in Channel.objects.exclude(sealed="").select_related("tenant").iterator():
        try:
            sealed = reseal(channel.sealed)
        except SecretsUnreadable:
            unreadable.append(channel)
            continue
        # A channel that was changed meanwhile carries the newest key already.
        done += Channel.objects.filter(pk=channel.pk, sealed=channel.sealed).update(sealed=sealed)
    record(by, "channel.reseal", tenant=None, count=done, unreadable=len(unreadable))
    return done, unreadable


def _probe_at_once(channel: Channel) -> None:
    """What was changed may be what was wrong, also with an access token."""
    forget(channel)
    if try_now(channel):
        transaction.on_commit(wake)


def _shared(channel: Channel) -> list[str]:
    return [setting.name for setting in generated(channel) if setting.shared]


def _opened(channel: Channel) -> dict[str, str]:
    """Return the secrets, none where no key opens them: then new ones are the way out."""
    try:
        return channel.secrets
    except SecretsUnreadable:
        return {}


def _make_room_for_default(channel: Channel) -> None:
    """Let the new default take the place of the old one, which the database allows once."""
    if channel.is_default:
        Tenant.objects.select_for_update(no_key=True).get(pk=channel.tenant_id)
        others = Channel.objects.filter(tenant=channel.tenant_id, is_default=True)
        others.exclude(pk=channel.pk).update(is_default=False, updated_at=timezone.now())
