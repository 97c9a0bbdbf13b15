"""The variables language of messages and templates.

``@recipient.name`` stands for a value; filters may follow, ``@event.until|default:"soon"``, at
most five. ``@@`` is a plain @. An @ is plain text as well behind a word character, as in an
e-mail address, and where no ``name.name`` follows. A word character is a digit, an underscore or
a letter that has a case: writing without spaces between words (Chinese, Thai) needs none around
a variable. A full stop ends a variable, and so does a | that no letter follows.

There are no conditions, loops or calls, and inserted values are never read as text of this
language: what an author writes can do no more than name values.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches

from notifications.text.filters import FILTERS, Argument, Step
from notifications.text.program import Program, Segment, Slot

__all__ = [
    "NAMESPACES",
    "Problem",
    "Program",
    "VariableError",
    "escape",
    "is_name",
    "length",
    "parse",
]

TEXT_MAX = 40_000  # characters, by `length`
VARIABLES_MAX = 200
FILTERS_MAX = 5
NAME_MAX = 64  # characters
ARGUMENT_MAX = 200  # characters

# None: any name; the composer gives the values along with the notification.
NAMESPACES: dict[str, tuple[str, ...] | None] = {
    "request": ("message",),
    "recipient": ("name", "first_name", "login", "locale", "time_zone"),
    "tenant": ("name",),
    "notification": ("title",),
    "event": None,
}

_NAME = re.compile(rf"[a-z_][a-z0-9_]{{0,{NAME_MAX - 1}}}")
# Capitals are read too, so that @Recipient.Name is a mistake and not plain text.
_REFERENCE = re.compile(r"@([A-Za-z_][A-Za-z0-9_]*)\.([A-Za-z_][A-Za-z0-9_]*)")
_ESCAPES = re.compile(r"(?:@@)+")  # read at once: a long line of them costs no more than one
_FILTER = re.compile(r"\|([A-Za-z_][A-Za-z0-9_]*)")
_ARGUMENTS = {
    str: re.compile(rf':"((?:[^"\\\n]|\\.){{0,{ARGUMENT_MAX}}}+)"'),
    int: re.compile(r":([0-9]{1,9})(?![0-9])"),
}


@dataclass(frozen=True)
class Problem:
    """A mistake in a text. ``position`` counts characters from 0."""

    position: int
    message: str


class VariableError(ValueError):
    """A text that cannot be parsed, with everything that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(self.messages))

    @property
    def messages(self) -> list[str]:
        return [f"Character {p.position + 1}: {p.message}" for p in self.problems]


def is_name(name: str) -> bool:
    """True for a name that an ``event`` value may bear."""
    return _NAME.fullmatch(name) is not None


def escape(text: str) -> str:
    """Return a text that renders to ``text`` exactly."""
    return text.replace("@", "@@")


def length(text: str) -> int:
    """Count a text's characters with each ``@@`` as the one that it stands for."""
    return len(text) - text.count("@@")


def parse(text: str) -> Program:
    """Raise VariableError with all problems found; the work is linear in the text's length."""
    if (size := length(text)) > TEXT_MAX:
        problem = f"the text has {size:,} characters; the most is {TEXT_MAX:,}."
        raise VariableError([Problem(TEXT_MAX, problem)])
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.problems: list[Problem] = []
        self.segments: list[Segment] = []
        self.pieces: list[str | Slot] = []

    def parse(self) -> Program:
        text = self.text
        plain = at = variables = 0  # plain: where the current stretch of plain text began
        while (at := text.find("@", at)) >= 0:
            if escapes := _ESCAPES.match(text, at):
                self.add_plain(plain, at)
                self.segments.append(Segment("escape", escapes[0]))
                self.pieces.append("@" * (len(escapes[0]) // 2))
                plain = at = escapes.end()
                continue
            found = None if at and _is_word(text[at - 1]) else _REFERENCE.match(text, at)
            if found is None:
                at += 1
                continue
            variables += 1
            if variables > VARIABLES_MAX:
                self.problem(at, f"a text may hold {VARIABLES_MAX} variables at most.")
                break
            self.add_plain(plain, at)
            slot, end = self.slot(found)
            self.segments.append(Segment("variable", text[at:end]))
            self.pieces.append(slot)
            plain = at = end
        self.add_plain(plain, len(text))
        if self.problems:
            raise VariableError(self.problems)
        return Program(tuple(self.segments), tuple(self.pieces))

    def add_plain(self, start: int, end: int) -> None:
        if start < end:
            self.segments.append(Segment("text", self.text[start:end]))
            self.pieces.append(self.text[start:end])

    def problem(self, position: int, message: str) -> None:
        self.problems.append(Problem(position, message))

    def slot(self, found: re.Match[str]) -> tuple[Slot, int]:
        """Read the variable at ``found`` and its filters; return it and where it ends."""
        namespace, name = found.groups()
        self.check_name(found.start(), namespace, name)
        steps: list[Step] = []
        end = found.end()
        while bar := _FILTER.match(self.text, end):
            if len(steps) == FILTERS_MAX:
                self.problem(end, f"a variable may have {FILTERS_MAX} filters at most.")
                break
            step, end = self.step(bar)
            if step is not None:
                steps.append(step)
        return Slot(f"{namespace}.{name}", tuple(steps)), end

    def check_name(self, at: int, namespace: str, name: str) -> None:
        if namespace not in NAMESPACES:
            hint = _hint(namespace, list(NAMESPACES))
            self.problem(at, f'"@{_short(namespace)}" is not known; {hint}, or @@ for a plain @.')
            return
        names = NAMESPACES[namespace]
        if names is not None and name not in names:
            hint = _hint(name, list(names))
            self.problem(at, f'"@{namespace}" has no "{_short(name)}"; {hint}.')
        elif not is_name(name):
            rule = f"small letters, digits and _, {NAME_MAX} at most"
            self.problem(at, f'"{_short(name)}" is not a name: {rule}.')

    def step(self, bar: re.Match[str]) -> tuple[Step | None, int]:
        """Read the filter at ``bar``; return it, None when it is wrong, and where it ends."""
        at, end, name = bar.start(), bar.end(), bar.group(1)
        known = FILTERS.get(name)
        if known is None:
            hint = _hint(name, list(FILTERS))
            self.problem(
                at, f'"{_short(name)}" is not a filter; {hint}, or put a space before a plain |.'
            )
            return None, end
        if known.takes is None:
            # A colon may simply follow in the sentence: "@recipient.name|upper: welcome".
            if self.text.startswith(':"', end):
                self.problem(at, f'"{name}" takes no argument.')
            return Step(known.apply), end
        given = _ARGUMENTS[known.takes].match(self.text, end)
        if given is None:
            kind = "a number" if known.takes is int else "a text in straight double quotes"
            self.problem(at, f'"{name}" needs {kind}, as in {known.example}.')
            return None, end
        argument: Argument
        if known.takes is int:
            argument = int(given.group(1))
        else:
            argument = re.sub(r'\\(["\\])', r"\1", given.group(1))
        if known.problem and (wrong := known.problem(argument)):
            self.problem(at, f'"{name}": {wrong}.')
        return Step(known.apply, argument), given.end()


def _is_word(char: str) -> bool:
    return char == "_" or char.isdigit() or char.islower() or char.isupper()


def _hint(name: str, known: list[str]) -> str:
    near = get_close_matches(name[:NAME_MAX].lower(), known, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"


def _short(name: str) -> str:
    return name if len(name) <= NAME_MAX else name[:NAME_MAX] + "…"
