"""What a channel's owner is told by e-mail: it is paused, it is back, its receiver is gone."""

import logging
from datetime import datetime

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import Q
from django.urls import reverse

from channels_app.log.words import Clock
from channels_app.models import Channel, Delivery, State
from project.access.models import AuditEntry, User

log = logging.getLogger(__name__)

COUNTED = 1000  # of what waits; more are “more than”
TOLD = 20  # Administrators at most, where a channel has no owner who can be reached


def tell_owner(entry: AuditEntry) -> int:
    """Tell whoever answers for the channel what an entry of the audit trail says of it.

    Returns how many were told. A mail server that refuses one of them is logged.
    """
    channel = Channel.objects.select_related("tenant", "owner").filter(pk=entry.target_id).first()
    if channel is None:
        return 0
    addresses, why = _whom(channel)
    if not addresses:
        log.warning("Channel %s has nobody to tell of %s.", channel.pk, entry.action)
    subject, words = _WORDS[entry.action](channel, entry)
    link = settings.BASE_URL + reverse("admin:channels_app_channel_change", args=[channel.pk])
    body = f"{words}\n\n{link}\n\n{why}\n"
    told = 0
    for address in addresses:
        try:
            told += send_mail(subject, body, None, [address])
        except Exception:
            log.exception("A channel's owner could not be told of %s.", entry.action)
    return told


def waiting(channel: Channel) -> str:
    """Say how many messages wait for the channel: “12 messages”, “more than 1,000 messages”."""
    queued = Delivery.objects.filter(channel=channel, state=State.QUEUED)
    # Apart, as their indexes are; each is counted up to the limit only.
    found = sum(rows[: COUNTED + 1].count() for rows in (queued.first_tries(), queued.retries()))
    if found > COUNTED:
        return f"more than {COUNTED:,} messages"
    return "1 message" if found == 1 else f"{found} messages"


def _whom(channel: Channel) -> tuple[list[str], str]:
    owner = channel.owner
    if owner is not None and owner.is_active and owner.email:
        return [owner.email], "You get this as the channel's owner."
    administrators = User.objects.filter(
        Q(groups__name="Administrator"), ~Q(email=""), tenant=channel.tenant, is_active=True
    )
    addresses = administrators.order_by("pk").values_list("email", flat=True).distinct()
    why = "You get this as an administrator: the channel has no owner who can be reached."
    return list(dict.fromkeys(addresses[:TOLD])), why


def _paused(channel: Channel, entry: AuditEntry) -> tuple[str, str]:
    return f"Channel “{_name(channel)}” is paused", (
        f"The channel “{channel}” of {channel.tenant} is paused since {_when(channel, entry)}: "
        "many messages in a row could not be handed over.\n\n"
        f"Last error: {entry.details['error']}\n"
        f"Waiting: {waiting(channel)}, which expire as planned if it takes too long.\n\n"
        f"One message is tried again after {entry.details['seconds']} seconds, then after waits "
        "that double, up to ten minutes. As soon as one is answered, the channel goes on by "
        "itself and you are told. “Try now” on its page does not wait, nor does a change of its "
        "settings:"
    )


def _returned(channel: Channel, entry: AuditEntry) -> tuple[str, str]:
    since = datetime.fromisoformat(entry.details["paused_since"])
    return f"Channel “{_name(channel)}” delivers again", (
        f"The channel “{channel}” of {channel.tenant} delivers again since "
        f"{_when(channel, entry)}. It was paused since {_clock(channel, entry).full(since)}.\n\n"
        f"Waiting: {waiting(channel)}, which leave now."
    )


def _gone(channel: Channel, entry: AuditEntry) -> tuple[str, str]:
    return f"Channel “{_name(channel)}” was put to rest", (
        f"The channel “{channel}” of {channel.tenant} rests since {_when(channel, entry)}: its "
        "receiver wants no more messages.\n\n"
        f"Last error: {entry.details['error']}\n"
        f"Waiting: {waiting(channel)}, which expire as planned.\n\n"
        "It does not come back by itself. If its receiver is to get messages again, resume it on "
        "its page:"
    )


_WORDS = {"channel.pause": _paused, "channel.return": _returned, "channel.gone": _gone}


def _clock(channel: Channel, entry: AuditEntry) -> Clock:
    return Clock(entry.at, channel.tenant.zone)


def _when(channel: Channel, entry: AuditEntry) -> str:
    clock = _clock(channel, entry)
    return f"{clock.full(clock.now)} ({clock.zone.key})"


def _name(channel: Channel) -> str:
    return " ".join(channel.name.split())  # a subject is one line
