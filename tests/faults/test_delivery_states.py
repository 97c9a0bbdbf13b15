"""A delivery's states under any order of events: real rows, several workers, an operator."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from channels_app import operations
from channels_app.connectors.base import Receipt, Rejected, Unavailable, Verdict
from channels_app.dispatch.claims import LEASE, Lane, claim
from channels_app.dispatch.recover import cancel_halted, expire, give_back
from channels_app.dispatch.results import Result, cut_off, of_verdict, try_of
from channels_app.dispatch.settle import hand_back, settle
from channels_app.models import Delivery, State, Tally
from channels_app.models.delivery import OPEN
from channels_app.services import enqueue, halt, open_books
from project.access.audit import Actor
from tests.faults.delivery_books import Seen, check_attempts, check_leases, check_tallies, look
from tests.support.channels import make_channel, make_tenant

START = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
WORKERS = st.sampled_from(["a", "b", "c"])
ORIGINS = st.integers(1, 3)
OUTCOMES = st.sampled_from(["accepted", "rejected", "unavailable", "asked to wait", "unknown"])
WAITS = st.sampled_from([1, 6, 16, 31, 61, 400, 3_700, 14_000])  # seconds
DEEDS = {
    "retry": operations.retry_delivery,
    "cancel": operations.cancel_delivery,
    "replay": operations.replay_delivery,
}
BY = Actor.hub("test")
_tenants = count(1)


class Deliveries(RuleBasedStateMachine):
    """Workers that claim, settle, stall and come back late, while people stop and retry."""

    def __init__(self) -> None:
        super().__init__()
        # What one example does is undone at its end.
        self.undone = transaction.atomic()
        self.undone.__enter__()
        self.travel = time_machine.travel(START, tick=False)
        self.clock = self.travel.start()
        tenant = make_tenant(f"House {next(_tenants)}")
        self.channel = make_channel(tenant, "webhook", max_in_flight=4)
        self.lanes = {name: Lane(self.channel) for name in "abc"}
        self.hands: dict[str, list[Delivery]] = {name: [] for name in "abc"}
        self.halted: set[tuple[str, int]] = set()
        self.written: dict = {}
        self.rows: dict[int, Seen] = {}
        self.by_operator: set[int] = set()  # ids of rows that the last step may have reopened

    def teardown(self) -> None:
        self.travel.stop()
        transaction.set_rollback(True)
        self.undone.__exit__(None, None, None)

    # --- what happens ---------------------------------------------------------------------------

    @rule(
        origin=ORIGINS,
        number=st.integers(1, 4),
        key=st.sampled_from(["", "", "session"]),
        lifetime=st.sampled_from([20, 300, 14_400]),
        state=st.sampled_from([State.QUEUED] * 4 + [State.SUPPRESSED, State.FAILED]),
    )
    def add(self, origin: int, number: int, key: str, lifetime: int, state: State) -> None:
        now = timezone.now()
        rows = [
            Delivery(
                tenant=self.channel.tenant,
                channel=self.channel,
                origin_kind="test",
                origin_id=origin,
                recipient="ana",
                address="ana@acme.example",
                payload={"type": "TEXT", "text": "Hello"},
                state=state,
                ordering_key=key,
                due_at=now,
                deadline=now + timedelta(seconds=lifetime),
                created_at=now,
            )
            for _ in range(number)
        ]
        open_books(self.channel.tenant, "test", origin)
        enqueue(rows, kind="test", pk=origin)

    @rule(worker=WORKERS, room=st.integers(1, 6))
    def take(self, worker: str, room: int) -> None:
        now, lane = timezone.now(), self.lanes[worker]
        waiting = {pk: row for pk, row in self.rows.items() if row.is_open}
        taken = claim(lane, room, now=now, holder=worker)
        self.hands[worker] += taken
        assert len(taken) <= room
        assert len(lane.flying) <= self.channel.max_in_flight
        for row in taken:
            before = waiting[row.pk]
            assert before.state == State.QUEUED, "it was under way already"
            assert before.due_at <= now < before.deadline
            assert before.origin not in self.halted, "it was stopped"
            earlier = [pk for pk in waiting if pk < row.pk]
            same = [waiting[pk].ordering_key == row.ordering_key for pk in earlier]
            assert not (row.ordering_key and any(same)), "it overtook another"
            assert (row.attempt_count, row.holder) == (before.attempt_count + 1, worker)

    @precondition(lambda self: any(self.hands.values()))
    @rule(worker=WORKERS, data=st.data(), outcome=OUTCOMES)
    def finish(self, worker: str, data: st.DataObject, outcome: str) -> None:
        ended = self.part_of(worker, data)
        ours = [row for row in ended if self.is_held(worker, row)]
        results = [self.result(row, outcome) for row in ended]
        assert settle(results, now=timezone.now()) == len(ours)

    @precondition(lambda self: any(self.hands.values()))
    @rule(worker=WORKERS, data=st.data())
    def return_unsent(self, worker: str, data: st.DataObject) -> None:
        hand_back(self.part_of(worker, data), holder=worker)

    @rule(worker=WORKERS)
    def renew(self, worker: str) -> None:
        Delivery.objects.filter(
            pk__in=[row.pk for row in self.hands[worker]], holder=worker, state=State.SENDING
        ).update(lease_until=timezone.now() + LEASE)

    @rule(seconds=WAITS)
    def wait(self, seconds: int) -> None:
        self.clock.shift(timedelta(seconds=seconds))

    @rule(worker=st.none() | WORKERS)
    def keep_house(self, worker: str | None) -> None:
        """As a worker does, which spares what it has in hand, or as the sweep does."""
        now = timezone.now()
        in_hand = [row.pk for row in self.hands[worker]] if worker else []
        give_back(now, in_hand=in_hand)
        expire(now)
        rows = look(self.channel)
        for pk, before in self.rows.items():
            if before.lease_until and before.lease_until < now and pk not in in_hand:
                assert rows[pk].state != State.SENDING, "nobody gave it back"
            if rows[pk].state == State.QUEUED:
                assert rows[pk].deadline > now, "it outlived its deadline"

    @rule(origin=ORIGINS)
    def stop(self, origin: int) -> None:
        if Tally.objects.filter(origin_kind="test", origin_id=origin).exists():
            halt("test", origin, timezone.now())
            self.halted.add(("test", origin))

    @rule()
    def carry_out_stops(self) -> None:
        cancel_halted(timezone.now())
        queued = {row.origin for row in look(self.channel).values() if row.state == State.QUEUED}
        assert not queued & self.halted

    @precondition(lambda self: self.rows)
    @rule(data=st.data(), deed=st.sampled_from(sorted(DEEDS)))
    def operate(self, data: st.DataObject, deed: str) -> None:
        pk = data.draw(st.sampled_from(sorted(self.rows)))
        row = Delivery.objects.select_related("channel").get(pk=pk)
        try:
            DEEDS[deed](row, by=BY)
        except operations.NotPossible:
            assert look(self.channel) == self.rows, "it was refused, and yet something changed"
        else:
            assert row.state != State.SENDING
            assert deed != "retry" or (row.origin_kind, row.origin_id) not in self.halted
            self.by_operator = {pk} if deed == "retry" else set()

    # --- what always holds ----------------------------------------------------------------------

    @invariant()
    def all_is_well(self) -> None:
        rows = look(self.channel)
        check_tallies(self.channel, rows)
        check_leases(rows)
        check_attempts(self.channel, rows, self.written)
        for pk, before in self.rows.items():
            if not before.is_open and pk not in self.by_operator:
                assert rows[pk] == before, "what had ended was touched"
        self.rows, self.by_operator = rows, set()

    # --- helpers --------------------------------------------------------------------------------

    def part_of(self, worker: str, data: st.DataObject) -> list[Delivery]:
        """Take some of what the worker believes to have in hand."""
        hand = self.hands[worker]
        number = data.draw(st.integers(0, len(hand)))
        part, self.hands[worker] = hand[:number], hand[number:]
        for row in part:
            self.lanes[worker].landed(try_of(row))
        return part

    def is_held(self, worker: str, row: Delivery) -> bool:
        now = self.rows[row.pk]
        return (now.holder, now.attempt_count) == (worker, row.attempt_count)

    def result(self, row: Delivery, outcome: str) -> Result:
        verdicts: dict[str, Verdict] = {
            "accepted": Receipt("vendor-7" if row.pk % 2 else ""),
            "rejected": Rejected("No."),
            "unavailable": Unavailable("Not now."),
            "asked to wait": Unavailable("Later.", retry_after=timedelta(minutes=10)),
        }
        verdict = verdicts.get(outcome)
        if verdict is None:
            return cut_off(row, "It may have arrived.")
        return of_verdict(row, verdict, started_at=timezone.now(), duration=0.1)


@pytest.mark.django_db
def test_no_order_of_events_loses_doubles_or_miscounts_a_delivery() -> None:
    run_state_machine_as_test(
        Deliveries,
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            derandomize=True,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert not Delivery.objects.filter(state__in=OPEN).exists(), "an example was not undone"
