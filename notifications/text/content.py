"""What a message says: a text, an image or a card, with variables until it is rendered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Self

from channels_app.payload import html, plain_text
from notifications.text.payload import (
    ContentError,
    ContentKind,
    Payload,
    check_payload,
    is_url_field,
    string_problem,
)
from notifications.text.source import read_body, read_fields
from notifications.text.variables import Program, VariableError, parse

__all__ = ["ContentError", "ContentKind", "ContentSource", "Payload", "html", "plain_text"]


@dataclass(frozen=True)
class ContentSource:
    """A message as its author wrote it. Any string in it may hold variables.

    ``programs`` are the parsed strings with their path in the payload, such as
    "actions.0.url". What is inserted into a URL is percent-encoded, unless it opens the URL.
    """

    kind: ContentKind
    programs: tuple[tuple[str, Program], ...]

    @classmethod
    def from_text(cls, kind: ContentKind | str, body: str) -> Self:
        """Read the body of a template or of a composed message. Raises ContentError.

        TEXT: the text itself. IMAGE: a URL or a JSON object. CARD: a JSON object.
        """
        kind = ContentKind(kind)
        return cls._from_strings(kind, read_body(kind, body))

    @classmethod
    def from_fields(cls, kind: ContentKind | str, fields: Mapping[str, object]) -> Self:
        """Read a message given as the keys of its payload. Raises ContentError."""
        kind = ContentKind(kind)
        return cls._from_strings(kind, read_fields(kind, fields))

    @classmethod
    def _from_strings(cls, kind: ContentKind, strings: Mapping[str, str]) -> Self:
        programs: dict[str, Program] = {}
        errors: dict[str, list[str]] = {}
        for path, text in strings.items():
            try:
                program = parse(text)
            except VariableError as error:
                errors[path] = error.messages
                continue
            programs[path] = program.for_url() if is_url_field(path) else program
            if problem := _problem_before_rendering(path, programs[path]):
                errors[path] = [problem]
        if errors:
            raise ContentError(errors)
        return cls(kind, tuple(programs.items()))

    @property
    def variables(self) -> frozenset[str]:
        return frozenset().union(*(program.variables for _, program in self.programs))

    @property
    def is_constant(self) -> bool:
        return all(program.is_constant for _, program in self.programs)

    @property
    def per_recipient(self) -> bool:
        return any(program.per_recipient for _, program in self.programs)

    def uses(self, name: str) -> bool:
        return any(program.uses(name) for _, program in self.programs)

    def missing(self, values: Mapping[str, str]) -> list[str]:
        """Name the variables, in order of appearance, with neither a value nor a default."""
        found = [name for _, program in self.programs for name in program.missing(values)]
        return list(dict.fromkeys(found))

    def bind(self, values: Mapping[str, str]) -> Self:
        """Fill in what is the same for all recipients."""
        bound = tuple((path, program.bind(values)) for path, program in self.programs)
        return type(self)(self.kind, bound)

    def in_zone(self, zone: tzinfo) -> Self:
        """Write out the moments that are bound, for readers in one time zone."""
        shown = tuple((path, program.in_zone(zone)) for path, program in self.programs)
        return type(self)(self.kind, shown)

    def check_fixed(self) -> None:
        """Raise ContentError where what is the same for everyone is overlong by itself."""
        errors = {
            path: [problem]
            for path, program in self.programs
            if not is_url_field(path) and (problem := string_problem(path, program.fixed))
        }
        if errors:
            raise ContentError(errors)

    def render(self, values: Mapping[str, str], time_zone: tzinfo | None = None) -> Payload:
        """Return the payload for one recipient.

        Raises ContentError when the values make it unfit: a broken URL, an empty or overlong
        text.
        """
        strings = {
            path: program.render(values, time_zone=time_zone) for path, program in self.programs
        }
        return check_payload(self.kind, strings)


def _problem_before_rendering(path: str, program: Program) -> str | None:
    """Find early what no value could mend."""
    if program.is_constant:
        return string_problem(path, program.render({}))
    if is_url_field(path) and isinstance(program.pieces[0], str):
        # Any letter shows whether the fixed scheme and host are sound.
        return string_problem(path, program.render(dict.fromkeys(program.variables, "x")))
    return None
