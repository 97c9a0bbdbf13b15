"""SPECs, the words in which a receiver is told what to answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import unquote

from project.receiver.answers import Answer

METADATA = "http://169.254.169.254/latest/meta-data/"

UNDERSTOOD = f"""\
  200 … 599          that status
  hang               keep the connection open and say nothing
  drop               close the connection without an answer
  redirect           302 to a metadata address, {METADATA}
  redirect=URL       302 to that URL
  huge, huge=SIZE    200 with a body of 100 MB, or of SIZE: 5000, 64k, 20M, 1G
  null               200 with the body null
  empty              200 without a body
  binary             200 with a body that is no UTF-8
  refuse             200 with {{"Success": false, …}}, as ServiceOptimizer has it
  accept             200 with {{"Success": true, …}}
and after any of them
  :delay=SECONDS     answer so much later
  :retry-after=N     with a Retry-After of so many seconds
  :status=N          with another status
  :share=N           to N of 100 requests, evenly; the others are answered 200
  *N                 N times; without it once, and the last one for ever"""

_SPEC = re.compile(
    r"(?P<kind>[a-z]+|\d{3})(?:=(?P<value>.+?))?(?P<options>(?::[a-z-]+=[^:*]*)*)(?:\*(?P<times>\d+))?"
)
_LONGEST = 500  # characters of a SPEC
_LONGEST_SEGMENT = 2000  # characters of several
_UNITS = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3}
_KINDS = {
    "hang": Answer(hang=True),
    "drop": Answer(drop=True),
    "redirect": Answer(302, {"Location": METADATA}, b""),
    "huge": Answer(headers={"Content-Type": "text/plain"}, body=b"", filler=100 * 1000**2),
    "null": Answer(body=b"null"),
    "empty": Answer(body=b""),
    "binary": Answer(body=b"\xff\xfe\x00" + bytes(range(128, 256))),
    "refuse": Answer(body=b'{"Success": false, "Code": "1", "Message": "Refused on request"}'),
    "accept": Answer(body=b'{"Success": true, "Code": "0", "Message": "OK"}'),
}


class NotUnderstood(ValueError):
    """This is no SPEC; the text says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """An answer of a program."""

    name: str
    """The SPEC without its repeats, as it is printed."""
    answer: Answer
    times: int | None = None
    """How often; None is once, or for ever where it is the last."""
    share: int = 100
    """So many of 100 requests get this answer, the others a plain 200."""


PLAIN = Step("200", Answer())


def read_spec(text: str) -> Step:
    """Read one SPEC. Raises NotUnderstood."""
    found = _SPEC.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        raise NotUnderstood(f"“{text[:80]}” is no SPEC.")
    kind, value, options, times = found.group("kind", "value", "options", "times")
    try:
        answer, share = _kind(kind, value), 100
        for option in options.split(":")[1:]:
            name, _, said = option.partition("=")
            if name == "share":
                share = _whole(said, 0, 100)
            else:
                answer = _with(answer, name, said)
        repeats = None if times is None else _whole(times, 1, 10**9)
    except ValueError as why:
        raise NotUnderstood(f"“{text}” is not understood: {why}.") from why
    return Step(text.removesuffix(f"*{times}"), answer, repeats, share)


def read_path(path: str) -> list[Step] | None:
    """Read the SPECs, parted by commas, of a path's first segment; None where it names none."""
    return _read_segment(path.lstrip("/").partition("/")[0][:_LONGEST_SEGMENT])


@lru_cache(1000)
def _read_segment(segment: str) -> list[Step] | None:
    try:
        return [read_spec(unquote(spec)) for spec in segment.split(",")]
    except NotUnderstood:
        return None


def _kind(kind: str, value: str | None) -> Answer:
    if kind.isdigit():
        if value is not None:
            raise ValueError("a status takes no value")
        status = _whole(kind, 200, 599)
        return Answer(status) if status < 300 else Answer(status, body=b'{"ok": false}')
    if kind not in _KINDS:
        raise ValueError(f"there is no “{kind}”")
    answer = _KINDS[kind]
    if value is None:
        return answer
    if kind == "redirect":
        if not (value.isascii() and value.isprintable() and " " not in value):
            raise ValueError("the URL has characters that no header can carry")
        return replace(answer, headers={"Location": value})
    if kind == "huge":
        return replace(answer, filler=_size(value))
    raise ValueError(f"“{kind}” takes no value")


def _with(answer: Answer, name: str, said: str) -> Answer:
    if name == "delay":
        if not re.fullmatch(r"\d{1,6}(\.\d{1,3})?", said):
            raise ValueError("the delay is no number of seconds")
        return replace(answer, delay=float(said))
    if name == "retry-after":
        headers = {**answer.headers, "Retry-After": str(_whole(said, 0, 10**9))}
        return replace(answer, headers=headers)
    if name == "status":
        return replace(answer, status=_whole(said, 200, 599))
    raise ValueError(f"there is no “:{name}=”")


def _size(said: str) -> int:
    found = re.fullmatch(r"(\d{1,9})([kMG]?)B?", said)
    if found is None:
        raise ValueError(f"“{said}” is no size")
    return int(found[1]) * _UNITS[found[2]]


def _whole(said: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", said) or not least <= int(said) <= most:
        raise ValueError(f"“{said}” is no whole number from {least} to {most}")
    return int(said)


class Program:
    """Answers, one after another; the last one for ever unless it says how often."""

    def __init__(self, steps: Sequence[Step], then: Step | None = None) -> None:
        self._steps = list(steps)
        if then is None and self._steps and self._steps[-1].times is None:
            then = self._steps.pop()
        self._then = then or PLAIN
        self._at = self._used = 0

    def next(self) -> Step:
        """The answer to the next request."""
        if self._at < len(self._steps) and self._used == (self._steps[self._at].times or 1):
            self._at, self._used = self._at + 1, 0
        step = self._steps[self._at] if self._at < len(self._steps) else self._then
        self._used += 1
        hit = self._used * step.share // 100 > (self._used - 1) * step.share // 100
        return step if hit else PLAIN

    def rewind(self) -> None:
        self._at = self._used = 0
