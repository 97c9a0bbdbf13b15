"""One measured line of the bench's table."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured, beside what it is held against.

    ``value`` is in ``unit``; the bar is met when it is ``at_least`` or ``at_most`` the bar. A line
    without a bar is there to be read (a baseline's own speed, say). ``note`` says in a few words
    what the value was made of.
    """

    what: str
    value: float
    unit: str
    bar: float | None = None
    sense: Literal["at_least", "at_most"] = "at_least"
    note: str = ""

    @property
    def met(self) -> bool:
        if self.bar is None:
            return True
        return self.value >= self.bar if self.sense == "at_least" else self.value <= self.bar

    def cells(self) -> tuple[str, str, str, str, str]:
        sign = "≥" if self.sense == "at_least" else "≤"
        bar = "" if self.bar is None else f"{sign} {number(self.bar)} {self.unit}"
        verdict = "" if self.bar is None else ("met" if self.met else "MISSED")
        return self.what, f"{number(self.value)} {self.unit}", bar, verdict, self.note


def number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def to_json(results: Iterable[Result]) -> str:
    return json.dumps([asdict(result) for result in results])


def from_json(text: str) -> list[Result]:
    return [Result(**fields) for fields in json.loads(text)]
