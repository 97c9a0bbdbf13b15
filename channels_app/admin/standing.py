"""How a channel stands, in a word and in a sentence."""

from datetime import datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString

from channels_app.log.words import Clock
from channels_app.models import Channel


def badge(channel: Channel) -> SafeString:
    if channel.is_paused:
        return format_html('<span class="state state-failed">{}</span>', "paused")
    word = "active" if channel.is_active else "resting"
    return format_html('<span class="state state-{}">{}</span>', word, word)


def pause_in_words(channel: Channel, now: datetime) -> str:
    """Say since when the channel is paused, when it is tried next and why; empty when it is not."""
    if not channel.is_paused or not (channel.paused_since and channel.paused_until):
        return ""
    clock = Clock(now, channel.tenant.zone)
    coming = channel.paused_until > now
    next_try = f"at {clock.when(channel.paused_until)}" if coming else "as soon as a message is due"
    return (
        f"Paused since {clock.when(channel.paused_since)}; next try {next_try}. "
        f"Last error: {channel.pause_error}"
    )
