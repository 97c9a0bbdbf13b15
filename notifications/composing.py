"""Composing: a message is checked as a whole, then kept as a draft."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from notifications.approval import digest_of
from notifications.audience import Audience, Found
from notifications.drafts import (
    Draft,
    NotComposable,
    content_problems,
    problems,
    title_of,
    unfit,
)
from notifications.models import Notification, Stage
from project.access.audit import Actor, record
from project.access.models import Tenant
from project.hints import hints_are_rows

__all__ = [
    "Draft",
    "NotComposable",
    "NotPossible",
    "compose",
    "content_problems",
    "digest_if_kept",
    "draft_of",
    "keep",
    "problems",
    "revise",
    "title_of",
    "unfit",
]


class NotPossible(ValueError):
    """The notification is not at a stage that allows this; the message says why."""


def compose(
    tenant: Tenant,
    draft: Draft,
    *,
    by: Actor,
    key: str = "",
    unfinished: bool = False,
    found: Found | None = None,
    release: Callable[[Notification], None] | None = None,
    announce: Callable[[Notification], None] | None = None,
) -> Notification:
    """Keep a draft; a repeated ``key`` returns the first one and changes nothing.

    ``unfinished``: it need not be fit to be sent yet. ``found``: what the caller has just
    learnt of its audience. ``release`` decides that it leaves, and when, before it is
    stored; ``announce`` is called once it is. Raises NotComposable.
    """
    if key and (first := _composed(tenant, key)):
        return first
    if errors := (unfit(draft, tenant) if unfinished else problems(draft, tenant, found=found)):
        raise NotComposable(errors)
    draft = _with_start(draft, None, unfinished=unfinished)
    notification = Notification(tenant=tenant, key=key, composed_by=by.name)
    _fill(notification, draft)
    if release is not None:
        release(notification)
    action = "notification.compose" if release is None else "notification.send"
    # Row and entry are stored by one call, which is as good as a transaction by itself.
    whole = transaction.atomic() if key or hints_are_rows() else nullcontext()
    try:
        with whole:
            record(by, action, tenant=tenant, target=notification, digest=notification.digest)
            if announce is not None:
                announce(notification)
    except IntegrityError:
        if key and (first := _composed(tenant, key)):
            return first  # the same form, sent twice at once
        raise
    return notification


def revise(
    notification: Notification,
    draft: Draft,
    *,
    by: Actor,
    seen: str = "",
    unfinished: bool = False,
) -> Notification:
    """Change a draft; the same decisions again change nothing, whatever has become of it.

    ``seen`` is the digest of what the author began with: what another has changed since is not
    written over. Raises NotComposable, or NotPossible, also once it is no draft any more.
    """
    _check(draft, notification.tenant, unfinished=unfinished)
    with transaction.atomic():
        row = Notification.objects.select_for_update(of=("self",)).get(pk=notification.pk)
        draft = _with_start(draft, row.send_at, unfinished=unfinished)
        before = row.digest
        if digest_if_kept(draft, row.tenant) == before:
            return row
        if row.stage != Stage.DRAFT:
            raise NotPossible("This has left the draft stage, as it was before you changed it.")
        if seen and seen != before:
            raise NotPossible(f"{row.composed_by} has changed this draft meanwhile.")
        _fill(row, draft)
        row.composed_by = by.name
        row.save()
        record(by, "notification.revise", tenant=row.tenant, target=row)
    return row


def keep(
    tenant: Tenant,
    draft: Draft,
    *,
    by: Actor,
    key: str,
    notification: Notification | None = None,
    seen: str = "",
    unfinished: bool = False,
) -> Notification:
    """Compose on the first call with this ``key``, revise the draft on later ones.

    A form that comes again is answered by its notification, also once that has left; with other
    decisions in it, it then raises NotPossible. Raises NotComposable.
    """
    if notification is None:
        notification, seen = compose(tenant, draft, by=by, key=key, unfinished=unfinished), ""
    return revise(notification, draft, by=by, seen=seen, unfinished=unfinished)


def digest_if_kept(draft: Draft, tenant: Tenant) -> str:
    """Return the digest that the draft would have as a notification."""
    notification = Notification(tenant=tenant)
    _fill(notification, draft)
    return notification.digest


def draft_of(notification: Notification) -> Draft:
    """Return what was decided about a notification."""
    return Draft(
        audience=Audience.from_json(notification.audience),
        title=notification.title,
        kind=notification.kind,
        template=notification.template,
        body=notification.body,
        message=notification.message,
        event=notification.event,
        channel=notification.channel,
        priority=notification.priority,
        send_at=notification.send_at,
        repeat=notification.repeat,
        time_zone=notification.time_zone,
    )


def _with_start(draft: Draft, known: datetime | None, *, unfinished: bool) -> Draft:
    """A series counts from its start; without one, each look at it would move it."""
    if not draft.repeat or draft.send_at is not None or unfinished:
        return draft
    return replace(draft, send_at=known or timezone.now().replace(microsecond=0))


def _composed(tenant: Tenant, key: str) -> Notification | None:
    return Notification.objects.of(tenant).filter(key=key).first()


def _check(draft: Draft, tenant: Tenant, *, unfinished: bool) -> None:
    if errors := (unfit if unfinished else problems)(draft, tenant):
        raise NotComposable(errors)


def _fill(notification: Notification, draft: Draft) -> None:
    notification.audience = draft.audience.as_json()
    notification.kind = draft.template.template.kind if draft.template else draft.kind
    notification.template = draft.template
    notification.body = "" if draft.template else draft.body
    notification.message = draft.message
    notification.event = dict(draft.event)
    notification.channel = draft.channel
    notification.priority = draft.priority
    notification.send_at = draft.send_at
    notification.repeat = draft.repeat.strip()
    zone = draft.time_zone or notification.tenant.time_zone
    notification.time_zone = zone if draft.repeat else ""
    notification.title = draft.title.strip() or title_of(draft)
    notification.digest = digest_of(notification)
