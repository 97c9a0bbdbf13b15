"""Retry, cancel, replay: which states allow them, and that the books stay balanced."""

import threading
import time
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from channels_app.dispatch.recover import cancel_halted
from channels_app.models import Channel, Delivery, State, Tally, statements
from channels_app.operations import (
    BUSY,
    CHANGED,
    NotPossible,
    cancel_delivery,
    do_to_many,
    replay_delivery,
    replays_of,
    retry_delivery,
)
from channels_app.services import halt
from channels_app.signals import origin_settled
from channels_app.tasks import wake
from project.access.audit import Actor
from project.access.models import AuditEntry

MARA = Actor("user", "mara", "7")
ENDED = (State.FAILED, State.EXPIRED, State.CANCELLED)


def as_stored(delivery: Delivery) -> Delivery:
    return Delivery.objects.select_related("channel").get(pk=delivery.pk)


def assert_books_balance() -> None:
    """Each origin's tally says what its rows say."""
    counted: dict[tuple[str, int], Counter[str]] = {}
    for kind, pk, state in Delivery.objects.values_list("origin_kind", "origin_id", "state"):
        counted.setdefault((kind, pk), Counter())[state] += 1
    told = {
        (tally.origin_kind, tally.origin_id): Counter({s: n for s, n in tally.states.items() if n})
        for tally in Tally.objects.all()
    }
    assert told == counted


def refused(deed, delivery: Delivery) -> str:
    """The reason why the deed is refused; asserts that nothing has changed."""
    before = Delivery.objects.values().get(pk=delivery.pk)
    with pytest.raises(NotPossible) as problem:
        deed(delivery, by=MARA)
    assert Delivery.objects.values().get(pk=delivery.pk) == before
    assert not AuditEntry.objects.filter(action__startswith="delivery.").exists()
    assert_books_balance()
    return str(problem.value)


# --- retry ------------------------------------------------------------------------------------


def test_a_delivery_waiting_for_its_next_try_becomes_due_now(make_delivery):
    delivery = make_delivery(
        state=State.QUEUED, tries=3, due_at=timezone.now() + timedelta(hours=1), reason="HTTP 503"
    )
    retry_delivery(delivery, by=MARA)
    row = as_stored(delivery)
    assert row.due_at <= timezone.now()
    assert (row.state, row.deadline, row.attempt_count) == ("queued", delivery.deadline, 3)
    assert row.reason == "HTTP 503"
    assert statements.channels_due(timezone.now()).keys() == {row.channel_id}
    assert_books_balance()


@pytest.mark.parametrize("state", ENDED)
def test_what_had_ended_is_queued_again_with_a_fresh_deadline(make_delivery, state):
    delivery = make_delivery(state=state, tries=3, age=timedelta(days=2), reason="It ended.")
    now = timezone.now()
    retry_delivery(delivery, by=MARA)
    row = as_stored(delivery)
    assert (row.state, row.reason, row.settled_at) == ("queued", "", None)
    assert timedelta(0) <= row.deadline - (now + row.channel.lifetime) < timedelta(minutes=1)
    assert row.attempt_count == 3
    assert row.attempts.count() == 3
    assert statements.channels_due(timezone.now()).keys() == {row.channel_id}
    assert_books_balance()


def test_a_queued_delivery_whose_deadline_has_passed_gets_a_fresh_one(make_delivery):
    delivery = make_delivery(state=State.QUEUED, tries=1, age=timedelta(hours=5))
    retry_delivery(delivery, by=MARA)
    assert as_stored(delivery).deadline > timezone.now() + timedelta(hours=3)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (State.SENDING, "It is being sent right now."),
        (State.SENT, "The channel has taken it already."),
        (State.DELIVERED, "The channel has taken it already."),
        (State.SUPPRESSED, "The recipient has opted out."),
        (State.QUEUED, "It is due already."),
    ],
)
def test_retry_is_refused_in_other_states(make_delivery, state, reason):
    assert refused(retry_delivery, make_delivery(state=state)) == reason


def test_what_was_never_made_into_a_message_can_not_be_retried(make_delivery):
    without_address = make_delivery(state=State.FAILED, address="")
    assert refused(retry_delivery, without_address).startswith("It has no message or no address")
    assert refused(retry_delivery, make_delivery(state=State.FAILED, payload={}))


def test_what_was_stopped_with_its_notification_stays_stopped(make_delivery):
    delivery = make_delivery(state=State.QUEUED)
    halt("notification", 1, timezone.now())
    cancel_halted(timezone.now())
    assert refused(retry_delivery, as_stored(delivery)) == "Its notification was stopped."


# --- cancel -----------------------------------------------------------------------------------


@pytest.mark.parametrize("tries", [0, 2])
def test_a_queued_delivery_is_cancelled_and_says_by_whom(make_delivery, tries):
    delivery = make_delivery(state=State.QUEUED, tries=tries)
    cancel_delivery(delivery, by=MARA)
    row = as_stored(delivery)
    assert (row.state, row.reason) == ("cancelled", "Cancelled by mara.")
    assert row.settled_at
    assert_books_balance()


@pytest.mark.parametrize(
    ("state", "reason"),
    [(State.SENDING, "It is being sent right now.")]
    + [
        (state, "It has ended already.")
        for state in State
        if state not in (State.QUEUED, State.SENDING)
    ],
)
def test_cancel_is_refused_in_other_states(make_delivery, state, reason):
    assert refused(cancel_delivery, make_delivery(state=state)) == reason


def test_cancelling_the_last_open_one_tells_the_floors_above(
    make_delivery, django_capture_on_commit_callbacks
):
    told: list[tuple[str, int]] = []

    def listen(*, kind: str, pk: int, **_: object) -> None:
        told.append((kind, pk))

    origin_settled.connect(listen)
    try:
        delivery = make_delivery(state=State.QUEUED, origin_id=5)
        with django_capture_on_commit_callbacks(execute=True):
            cancel_delivery(delivery, by=MARA)
    finally:
        origin_settled.disconnect(listen)
    assert told == [("notification", 5)]


# --- replay -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.SENT, State.DELIVERED, State.FAILED, State.EXPIRED])
def test_a_replay_is_a_delivery_of_its_own_with_its_own_books(make_delivery, state):
    original = make_delivery("ana", state=state, tries=2, age=timedelta(days=3), priority=0)
    replay, made = replay_delivery(original, by=MARA)
    assert made
    row = as_stored(replay)
    assert (row.origin_kind, row.origin_id) == ("replay", original.pk)
    same = ("recipient", "address", "payload", "priority", "channel_id", "tenant_id")
    assert [getattr(row, name) for name in same] == [getattr(original, name) for name in same]
    assert (row.state, row.attempt_count) == ("queued", 0)
    assert row.deadline > timezone.now() + timedelta(hours=3)
    assert row.public_id != original.public_id
    assert as_stored(original).state == state
    assert Tally.objects.get(origin_kind="replay", origin_id=original.pk).queued == 1
    assert_books_balance()


def test_while_a_replay_is_open_another_click_gives_the_same_one(make_delivery):
    original = make_delivery()
    first, _ = replay_delivery(original, by=MARA)
    again, made = replay_delivery(original, by=MARA)
    assert (again, made) == (first, False)
    Delivery.objects.filter(pk=first.pk).update(
        state=State.SENDING, lease_until=timezone.now() + timedelta(minutes=1)
    )
    assert replay_delivery(original, by=MARA) == (first, False)
    assert AuditEntry.objects.filter(action="delivery.replay").count() == 1


def test_once_a_replay_has_ended_the_original_can_be_replayed_again(make_delivery):
    original = make_delivery()
    first, _ = replay_delivery(original, by=MARA)
    cancel_delivery(first, by=MARA)
    second, made = replay_delivery(original, by=MARA)
    assert made
    assert replays_of(original) == [first, second]
    assert_books_balance()


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (State.QUEUED, "It is still under way."),
        (State.SENDING, "It is still under way."),
        (State.CANCELLED, "It was cancelled and never went out; retry it instead."),
        (State.SUPPRESSED, "The recipient has opted out."),
    ],
)
def test_replay_is_refused_in_other_states(make_delivery, state, reason):
    assert refused(replay_delivery, make_delivery(state=state)) == reason
    assert Delivery.objects.count() == 1


# --- all three --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deed", "state"),
    [
        (retry_delivery, State.FAILED),
        (cancel_delivery, State.QUEUED),
        (replay_delivery, State.SENT),
    ],
)
def test_each_deed_is_written_down_and_wakes_the_engine_after_the_commit(
    make_delivery, django_capture_on_commit_callbacks, deed, state
):
    delivery = make_delivery(state=state)
    with django_capture_on_commit_callbacks() as after_commit:
        deed(delivery, by=MARA)
    assert wake in after_commit
    entry = AuditEntry.objects.get()
    assert entry.action == f"delivery.{deed.__name__.removesuffix('_delivery')}"
    assert (entry.actor_name, entry.target_id) == ("mara", str(delivery.pk))
    assert entry.tenant_id == delivery.tenant_id


def test_a_refused_deed_wakes_nobody(make_delivery, django_capture_on_commit_callbacks):
    delivery = make_delivery(state=State.SENDING)
    with django_capture_on_commit_callbacks() as after_commit:
        for deed in (retry_delivery, cancel_delivery, replay_delivery):
            with pytest.raises(NotPossible):
                deed(delivery, by=MARA)
    assert wake not in after_commit


def test_many_are_done_one_by_one_and_the_rest_is_told_with_its_reasons(
    make_delivery, tenant, other_channel
):
    rows = [make_delivery(state=state) for state in [*ENDED, State.SENT, State.SENT]]
    foreign = make_delivery(state=State.FAILED, over=other_channel)
    pks = [*(row.pk for row in rows), foreign.pk, 10**18]
    result = do_to_many("retry", pks, tenant=tenant, by=MARA)
    assert result.done == 3
    assert result.refused == {
        "The channel has taken it already.": 2,
        "It is not in this log.": 2,
    }
    assert as_stored(foreign).state == "failed"
    assert_books_balance()


def test_a_second_replay_of_many_says_which_are_under_way(make_delivery, tenant):
    pks = [make_delivery().pk, make_delivery().pk]
    assert do_to_many("replay", pks[:1], tenant=tenant, by=MARA).done == 1
    result = do_to_many("replay", pks, tenant=tenant, by=MARA)
    assert (result.done, dict(result.refused)) == (1, {"A replay of it is under way already.": 1})


def test_more_than_five_hundred_at_once_are_refused(tenant):
    with pytest.raises(ValueError, match="500"):
        do_to_many("cancel", range(501), tenant=tenant, by=MARA)


# --- races ------------------------------------------------------------------------------------


def _wait_until_blocked() -> None:
    """Return once another connection waits for a row that this one has changed.

    SQLite lets a writing transaction begin only when the one before has ended, so there the
    other one can't be further than that.
    """
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        for _ in range(500):
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # else one look lasts a transaction
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone() != (0,):
                return
            time.sleep(0.01)
    raise AssertionError("Nobody came to wait for the lock.")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("deed", [retry_delivery, cancel_delivery])
def test_a_deed_that_meets_the_engine_at_the_same_row_is_refused(tenant, make_delivery, deed):
    later = timezone.now() + timedelta(minutes=1)
    delivery = make_delivery(state=State.QUEUED, tries=1, due_at=later)
    met: list[str] = []

    def operator() -> None:
        try:
            deed(delivery, by=MARA)
        except NotPossible as problem:
            met.append(str(problem))
        finally:
            connection.close()

    thread = threading.Thread(target=operator)
    with transaction.atomic():
        # The engine's claim, held open until the operator's update waits for its row.
        taken = statements.claim(
            delivery.channel_id, room=1, retries=1, now=later, lease_until=later, holder="engine"
        )
        assert [row.pk for row in taken] == [delivery.pk]
        thread.start()
        _wait_until_blocked()
    thread.join()
    assert met == [CHANGED if connection.vendor == "postgresql" else BUSY]
    assert as_stored(delivery).state == "sending"
    assert not AuditEntry.objects.exists()
    assert_books_balance()


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_make_one_replay(make_delivery):
    original = make_delivery()
    start = threading.Barrier(4)
    results: list[tuple[Delivery, bool]] = []

    def click() -> None:
        try:
            start.wait(timeout=10)
            results.append(replay_delivery(original, by=MARA))
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [made for _, made in results].count(True) == 1
    assert len({replay.pk for replay, _ in results}) == 1
    assert len(results) == 4
    assert_books_balance()


def test_a_resting_channels_delivery_can_be_retried_and_waits(make_delivery):
    delivery = make_delivery(state=State.FAILED)
    Channel.objects.update(is_active=False)
    retry_delivery(delivery, by=MARA)
    assert as_stored(delivery).state == "queued"
