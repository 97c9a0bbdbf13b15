"""How a notification's stage and digest read."""

from django import template

from notifications.approval import short
from notifications.models import Notification
from notifications.pages import story

register = template.Library()


@register.filter
def stage_word(notification: Notification) -> str:
    return story.stage_word(notification)


@register.filter
def digest(notification: Notification) -> str:
    return short(notification.digest)
