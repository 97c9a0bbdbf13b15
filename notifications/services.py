"""What is done with a notification: submitted, approved, sent, stopped, tried out."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.utils import timezone

from channels_app import tasks as channel_tasks
from channels_app.connectors.base import connector_for
from channels_app.models import Channel, Delivery, Priority
from channels_app.services import enqueue, halt, open_books
from notifications import due
from notifications.approval import digest_of
from notifications.audience import Audience, Found, default_channel
from notifications.composing import (
    Draft,
    NotComposable,
    NotPossible,
    compose,
    content_problems,
    draft_of,
    problems,
)
from notifications.models import ORIGIN, Address, Notification, OptOut, Recipient, Stage
from notifications.models.recipient import EVERY_KIND
from notifications.rendering import render_for, source_of, values_of
from notifications.schedule import AHEAD
from notifications.text.recurrence import RecurrenceError
from project.access.audit import Actor, record
from project.access.models import Tenant
from project.hints import hint

TEST = "test"  # Delivery.origin_kind of a test send
SAME_TEST = timedelta(seconds=10)  # a second press of the button is no second test
JUST_NOW = timedelta(minutes=1)  # a series that begins “now” begins although moments have passed
NOTE_MAX = 1000  # characters


def submit(notification: Notification, *, by: Actor) -> Notification:
    """Hand a draft to an approver; a repeated call changes nothing.

    Raises NotComposable, NotPossible.
    """
    with transaction.atomic():
        row = _row(notification)
        if row.stage == Stage.SUBMITTED:
            return row
        if row.stage != Stage.DRAFT:
            raise NotPossible("Only a draft can be handed in.")
        _check(row)
        row.stage = Stage.SUBMITTED
        row.submitted_at = timezone.now()
        row.digest = digest_of(row)
        row.save()
        record(by, "notification.submit", tenant=row.tenant, target=row, digest=row.digest)
    return row


def approve(notification: Notification, *, by: Actor, digest: str) -> Notification:
    """Release what another person composed, provided it still is what the approver saw.

    Raises NotPossible: wrong stage, own work, or ``digest`` is not this notification's; and
    NotComposable for what it names but has gone since.
    """
    with transaction.atomic():
        row = _locked(notification, Stage.SUBMITTED, "This is not waiting for approval.")
        if by.name == row.composed_by:
            raise NotPossible("What one composed, another approves.")
        if not digest == row.digest == digest_of(row):
            raise NotPossible("This is no longer what you looked at; look again.")
        _check(row)
        _release(row, by=by)
        row.save()
        _announce(row)
        record(by, "notification.approve", tenant=row.tenant, target=row, digest=row.digest)
    return row


def decline(notification: Notification, *, by: Actor, note: str = "") -> Notification:
    """Give a submitted notification back to its composer as a draft. Raises NotPossible."""
    with transaction.atomic():
        row = _locked(notification, Stage.SUBMITTED, "This is not waiting for approval.")
        _give_back(row)
        record(by, "notification.decline", tenant=row.tenant, target=row, note=note[:NOTE_MAX])
    return row


def withdraw(notification: Notification, *, by: Actor) -> Notification:
    """Take back what one handed in oneself, to work on it again. Raises NotPossible."""
    with transaction.atomic():
        row = _locked(notification, Stage.SUBMITTED, "This is not waiting for approval.")
        if by.name != row.composed_by:
            raise NotPossible("Only who handed it in can take it back.")
        _give_back(row)
        record(by, "notification.withdraw", tenant=row.tenant, target=row)
    return row


def discard(notification: Notification, *, by: Actor) -> Notification:
    """Put a draft away for good; it stays in the list as cancelled. Raises NotPossible."""
    with transaction.atomic():
        row = _locked(notification, Stage.DRAFT, "Only a draft can be discarded.")
        row.stage, row.finished_at = Stage.CANCELLED, timezone.now()
        row.save()
        record(by, "notification.discard", tenant=row.tenant, target=row)
    return row


def copy(notification: Notification, *, by: Actor) -> Notification:
    """Make a new draft of the same decisions; a time that has passed is left out."""
    draft = draft_of(notification)
    if draft.send_at and draft.send_at <= timezone.now():
        draft = replace(draft, send_at=None)
    return compose(notification.tenant, draft, by=by, unfinished=True)


def notify(
    tenant: Tenant, draft: Draft, *, by: Actor, key: str = "", found: Found | None = None
) -> Notification:
    """Compose and release in one: what systems and the command line call.

    A repeated ``key`` returns the first notification and sends nothing. ``found`` is what
    a caller has just learnt of the audience (`audience.look_up`), which is not looked up again
    then. Raises NotComposable, and NotPossible for a series whose last date has passed.
    """
    return compose(
        tenant,
        draft,
        by=by,
        key=key,
        found=found,
        release=partial(_release, by=by, counted=found.total if found else None),
        announce=_announce,
    )


def send(notification: Notification, *, by: Actor) -> Notification:
    """Release a draft without an approver; the caller has checked the right to.

    A repeated call on what was sent already changes nothing. Raises NotComposable, NotPossible.
    """
    with transaction.atomic():
        row = _row(notification)
        if row.stage in (Stage.SCHEDULED, Stage.SENDING, Stage.DONE):
            return row
        if row.stage != Stage.DRAFT:
            raise NotPossible("Only a draft can be sent.")
        _check(row)
        row.digest = digest_of(row)
        _release(row, by=by)
        row.save()
        _announce(row)
        record(by, "notification.send", tenant=row.tenant, target=row, digest=row.digest)
    return row


def stop(notification: Notification, *, by: Actor) -> Notification:
    """Stop it, whether it waits or is being sent; what is under way ends as it ends.

    Nothing more is claimed from the commit on; the queued rows are cancelled in the background.
    With a series, the occurrences that are being sent stop too. Raises NotPossible when it was
    not released yet, or has ended already.
    """
    with transaction.atomic():
        row = _row(notification)
        if row.stage in (Stage.DONE, Stage.CANCELLED):
            raise NotPossible("This has ended already.")
        if row.stage not in (Stage.SCHEDULED, Stage.SENDING):
            raise NotPossible("This was not released yet, so there is nothing to stop.")
        under_way = row.occurrences.sending().order_by("pk").select_for_update(of=("self",))
        for each in [row, *under_way]:
            now = timezone.now()
            each.stage, each.due_at, each.finished_at = Stage.CANCELLED, None, now
            each.save()
            halt(ORIGIN, each.pk, now)
            record(by, "notification.stop", tenant=each.tenant, target=each)
        hint("channels_app.tasks.carry_out_stops")
    return row


def send_test(
    notification: Notification, recipient: Recipient, *, by: Actor, channel: Channel | None = None
) -> Delivery:
    """Send it to one person at once, outside its books; the caller has checked the right to.

    The same test, asked for again within seconds, is the first one. Raises NotComposable,
    NotPossible (also for who opted out), ContentError.
    """
    with transaction.atomic():
        row = _row(notification)
        if errors := content_problems(draft_of(row), row.tenant):
            raise NotComposable(errors)
        delivery = _test_delivery(row, recipient, channel)
        if again := _tested_just_now(delivery):
            return again
        open_books(row.tenant, TEST, row.pk)
        enqueue([delivery], kind=TEST, pk=row.pk)
        record(by, "notification.test", tenant=row.tenant, target=row, recipient=recipient.login)
        channel_tasks.wake()
    return delivery


def _test_delivery(row: Notification, recipient: Recipient, channel: Channel | None) -> Delivery:
    route = channel or route_to(recipient, row.tenant, row.channel)
    if route is None:
        raise NotPossible("There is no channel to send it over.")
    if not route.is_active:
        raise NotPossible(f"{route.name} is at rest.")
    if opted_out(recipient, route):
        raise NotPossible(f"{recipient} opted out of {route.name}.")
    address = address_of(recipient, route)
    if not address:
        raise NotPossible(f"{recipient} has no address for {route.name}.")
    content = source_of(row).bind(values_of(row))
    now = timezone.now()
    return Delivery(
        tenant=row.tenant,
        channel=route,
        origin_kind=TEST,
        origin_id=row.pk,
        recipient=recipient.login,
        address=address,
        payload=render_for(content, recipient, row.tenant, subject=row.title),
        priority=Priority.URGENT,
        due_at=now,
        deadline=now + route.lifetime,
        created_at=now,
    )


def _tested_just_now(delivery: Delivery) -> Delivery | None:
    tests = Delivery.objects.of_origin(TEST, delivery.origin_id)
    last = tests.filter(recipient=delivery.recipient).order_by("-pk").first()
    if last is None or last.created_at < delivery.created_at - SAME_TEST:
        return None
    same = last.payload == delivery.payload and last.channel_id == delivery.channel_id
    return last if same else None


def route_to(recipient: Recipient, tenant: Tenant, chosen: Channel | None) -> Channel | None:
    """The channel that one person is reached over, by the rule that an expansion follows."""
    last = recipient.last_channel
    return chosen or (last if last and last.is_active else default_channel(tenant))


def opted_out(recipient: Recipient, channel: Channel) -> bool:
    kinds = [channel.kind, EVERY_KIND]
    return OptOut.objects.filter(recipient=recipient, kind__in=kinds).exists()


def address_of(recipient: Recipient, channel: Channel) -> str:
    """Where this person is reached over this channel; empty when nowhere."""
    own = Address.objects.filter(recipient=recipient, kind=channel.kind).first()
    if own is not None:
        return own.value
    return recipient.login if connector_for(channel.kind).login_is_address else ""


def _row(notification: Notification) -> Notification:
    """Read it anew and hold it until the end of the transaction."""
    return Notification.objects.select_for_update(of=("self",)).get(pk=notification.pk)


def _locked(notification: Notification, stage: Stage, otherwise: str) -> Notification:
    row = _row(notification)
    if row.stage != stage:
        raise NotPossible(otherwise)
    return row


def _check(row: Notification) -> None:
    if errors := problems(draft_of(row), row.tenant):
        raise NotComposable(errors)


def _give_back(row: Notification) -> None:
    row.stage, row.submitted_at = Stage.DRAFT, None
    row.save()


def _release(row: Notification, *, by: Actor, counted: int | None = None) -> None:
    """Let it go at its time; whoever stores it calls `_announce` with that."""
    now = timezone.now()
    row.stage = Stage.SCHEDULED
    row.due_at = first_due(row, now)
    row.approved_by, row.approved_at = by.name, now
    if counted is None:
        counted = Audience.from_json(row.audience).recipients(row.tenant).count()
    row.approved_count = counted


def _announce(row: Notification) -> None:
    """Tell the workers of what was released, if it leaves soon."""
    now = timezone.now()
    if row.due_at is None or row.due_at <= now:
        due.wake()
    elif row.due_at <= now + AHEAD:
        hint("notifications.tasks.sweep")  # the next regular one might come too late


def first_due(row: Notification, now: datetime) -> datetime:
    """When it first leaves: now, at its time, or at the first date of its rule still to come.

    Raises NotPossible for a series that has no more dates.
    """
    try:
        recurrence = draft_of(row).recurrence(row.tenant)
    except RecurrenceError as error:
        raise NotPossible(str(error)) from error
    if recurrence is None:
        return row.send_at or now
    if recurrence.first >= now - JUST_NOW:
        return recurrence.first
    following = recurrence.after(now)
    if following is None:
        raise NotPossible("The last of its dates has passed.")
    return following
