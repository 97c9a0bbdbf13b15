"""The operators' three deeds, in the words of the console."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest

from channels_app import operations
from channels_app.models import Delivery, State


@dataclass(frozen=True, slots=True)
class Deed:
    name: operations.Deed
    verb: str  # “Retry 12 deliveries?”
    problem: Callable[[Delivery, datetime], str]
    words: str  # what the confirmation says
    done: str  # “12 deliveries …”
    done_one: str
    asks: bool = True  # also for a single one
    is_danger: bool = False


DEEDS: dict[str, Deed] = {
    deed.name: deed
    for deed in (
        Deed(
            name="retry",
            verb="Retry",
            problem=operations.retry_problem,
            words="What waits for its next try becomes due now. What failed, expired or was "
            "cancelled is queued again, with the full time of its channel to be delivered.",
            done="are due now",
            done_one="is due now",
            asks=False,
        ),
        Deed(
            name="cancel",
            verb="Cancel",
            problem=operations.cancel_problem,
            words="What still waits is not sent. What an earlier try may have brought to the far "
            "end can't be called back.",
            done="are cancelled",
            done_one="is cancelled",
            is_danger=True,
        ),
        Deed(
            name="replay",
            verb="Replay",
            problem=operations.replay_problem,
            words="The same message goes to the same person once more, as a delivery of its own. "
            "Who has it already gets it a second time; that can't be taken back.",
            done="are being sent once more",
            done_one="is being sent once more",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a deed would do to some deliveries as they are now."""

    states: list[tuple[State, int]]
    refused: list[tuple[str, int]]

    @classmethod
    def of(cls, deed: Deed, deliveries: Iterable[Delivery], now: datetime) -> "Prospect":
        states, refused = Counter[State](), Counter[str]()
        for delivery in deliveries:
            if problem := deed.problem(delivery, now):
                refused[problem] += 1
            else:
                states[State(delivery.state)] += 1
        return cls(states.most_common(), refused.most_common())

    @property
    def possible(self) -> int:
        return sum(number for _, number in self.states)

    @property
    def impossible(self) -> int:
        return sum(number for _, number in self.refused)


def tell(
    request: HttpRequest, deed: Deed, result: operations.Tallied, one: Delivery | None
) -> None:
    """Say what was done, and why not for the rest; ``one``: it was about this delivery only."""
    if result.done:
        subject = f"Delivery {one.pk}" if one else _number(result.done)
        said = deed.done_one if one or result.done == 1 else deed.done
        messages.success(request, f"{subject} {said}.")
    if not result.refused:
        return
    if one:
        messages.warning(request, f"Delivery {one.pk} was left alone: {next(iter(result.refused))}")
        return
    reasons = "; ".join(
        f"{reason.rstrip('.')} ({number:,})" for reason, number in result.refused.most_common()
    )
    verb = "was" if result.refused.total() == 1 else "were"
    messages.warning(request, f"{_number(result.refused.total())} {verb} left alone: {reasons}.")


def _number(count: int) -> str:
    return "1 delivery" if count == 1 else f"{count:,} deliveries"
