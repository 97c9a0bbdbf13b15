"""An installation's log, read past its own code and held against what a receiver got."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from project.receiver.requests import Received
from tests.support.installation import Installation
from tests.support.workers import wait_for

STATES = ("queued", "sending", "sent", "failed", "expired", "cancelled", "suppressed", "delivered")


@dataclass
class Books:
    """By delivery: state and tries counted; outcomes of its written attempts, in order."""

    states: dict[int, str] = field(default_factory=dict)
    counted: dict[int, int] = field(default_factory=dict)
    outcomes: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    tally: Counter[str] = field(default_factory=Counter)

    @property
    def cut_off(self) -> int:
        """Tries of which nobody knows the end."""
        return sum(outcomes.count("unknown") for outcomes in self.outcomes.values())


def open_rows(where: Installation, pk: int | None = None) -> int:
    """How many deliveries (of one notification) its tallies call queued or sending."""
    only = "" if pk is None else f" WHERE origin_id = {pk}"
    ((number,),) = where.query(f"SELECT SUM(queued + sending) FROM channels_app_tally{only}")  # noqa: S608
    return int(number or 0)


def wait_until_settled(
    where: Installation, *, rows: int, seconds: float, pk: int | None = None
) -> None:
    """Wait until there are so many deliveries (of one notification) and none is open."""
    only = "" if pk is None else f" WHERE origin_id = {pk}"

    def is_settled() -> bool:
        ((number,),) = where.query(f"SELECT COUNT(*) FROM channels_app_delivery{only}")  # noqa: S608
        return number == rows and not open_rows(where, pk)

    wait_for(is_settled, seconds=seconds, what=f"the settling of {rows} deliveries", every=0.3)


def books(where: Installation) -> Books:
    read = Books()
    for row, state, tries in where.query(
        "SELECT id, state, attempt_count FROM channels_app_delivery ORDER BY id"
    ):
        read.states[row], read.counted[row] = state, tries
    for row, number, outcome in where.query(
        "SELECT delivery_id, number, outcome FROM channels_app_attempt ORDER BY delivery_id, number"
    ):
        read.outcomes[row].append(outcome)
        assert number == len(read.outcomes[row]), f"delivery {row} lacks an attempt"
    sums = ", ".join(f"SUM({state})" for state in STATES)
    (numbers,) = where.query(f"SELECT {sums} FROM channels_app_tally")  # noqa: S608
    read.tally = +Counter(dict(zip(STATES, numbers, strict=True)))
    return read


def _told(where: Installation, row: int) -> str:
    columns = "number, started_at, duration, outcome, error"
    sql = f"SELECT {columns} FROM channels_app_attempt WHERE delivery_id = {row}"  # noqa: S608
    return f"delivery {row}: {where.query(sql)}"


def tries_received(requests: Iterable[Received]) -> Counter[int]:
    """How often each delivery's webhook came, by the delivery's number."""
    return Counter(int(request.headers["webhook-id"].rpartition("_")[2]) for request in requests)


def assert_all_sent(where: Installation, requests: Iterable[Received], *, rows: int) -> Books:
    """Nothing lost, every repeat an attempt of its own, the books balanced; returns the books.

    A try that was cut off may or may not have arrived, all others have.
    """
    read = books(where)
    assert Counter(read.states.values()) == Counter(sent=rows) == read.tally
    received = tries_received(requests)
    assert set(received) == set(read.states), "somebody got nothing"
    for row, outcomes in read.outcomes.items():
        assert len(outcomes) == read.counted[row]
        assert outcomes[-1] == "accepted"
        assert set(outcomes[:-1]) <= {"unknown"}, _told(where, row)
        assert 1 <= received[row] <= len(outcomes), f"delivery {row}: {outcomes}"
    return read
