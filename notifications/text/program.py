"""A parsed text: cut up once, filled in many times."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Literal, NamedTuple, Self

from notifications.text.filters import URL_QUOTE, Step, is_default, needs_zone, run


class Segment(NamedTuple):
    """A stretch of a text for display. ``escape`` is doubled @s, ``value`` a bound variable."""

    kind: Literal["text", "escape", "variable", "value"]
    text: str


class Slot(NamedTuple):
    """A variable in a text. ``value`` is set once it is bound but still needs a time zone."""

    name: str
    steps: tuple[Step, ...] = ()
    value: str | None = None

    @property
    def is_optional(self) -> bool:
        return any(is_default(step) for step in self.steps)

    @property
    def is_per_recipient(self) -> bool:
        return self.name.startswith("recipient.") or any(map(needs_zone, self.steps))

    def shown(self, zone: tzinfo) -> str:
        """Return what stands for it in that zone, once a value is bound."""
        text = self.value or ""
        for apply, argument in self.steps:
            text = apply(text, argument, zone)
        return text


@dataclass(frozen=True)
class Program:
    """A text with its variables found. Values are inserted as they are, never read again.

    ``pieces`` runs parallel to ``segments``: what a segment puts into the result, a str for
    fixed text and a Slot for a variable. Values are mappings from dotted names
    ("recipient.name") to str; an empty value counts as none.
    """

    segments: tuple[Segment, ...]
    pieces: tuple[str | Slot, ...]
    variables: frozenset[str] = field(init=False, repr=False, compare=False)
    _template: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _slots: tuple[tuple[int, str, tuple[Step, ...], str | None], ...] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        # Neighbouring fixed texts are joined here, so that render() only fills the gaps.
        template: list[str] = []
        slots = []
        fixed: list[str] = []
        for piece in self.pieces:
            if isinstance(piece, str):
                fixed.append(piece)
                continue
            template += ["".join(fixed), ""]
            slots.append((len(template) - 1, piece.name, piece.steps, piece.value))
            fixed = []
        template.append("".join(fixed))
        object.__setattr__(self, "_template", tuple(template))
        object.__setattr__(self, "_slots", tuple(slots))
        object.__setattr__(
            self, "variables", frozenset(slot.name for slot in self.slots if slot.value is None)
        )

    @property
    def slots(self) -> tuple[Slot, ...]:
        return tuple(piece for piece in self.pieces if isinstance(piece, Slot))

    @property
    def fixed(self) -> str:
        """What of the result is certain: the text around the gaps."""
        return "".join(self._template)

    @property
    def is_constant(self) -> bool:
        return not self._slots

    @property
    def per_recipient(self) -> bool:
        """True when two recipients may read different texts: by their data or time zone."""
        return any(slot.is_per_recipient for slot in self.slots)

    def uses(self, name: str) -> bool:
        return name in self.variables

    def missing(self, values: Mapping[str, str]) -> list[str]:
        """Name the variables, in order of appearance, with neither a value nor a default."""
        wanted = [s.name for s in self.slots if s.value is None and not s.is_optional]
        return [name for name in dict.fromkeys(wanted) if not values.get(name)]

    def render(self, values: Mapping[str, str], *, time_zone: tzinfo | None = None) -> str:
        """Fill in ``values``; one that is missing leaves nothing, so ask missing() first."""
        out = list(self._template)
        for index, name, steps, bound in self._slots:
            text = bound or values.get(name) or ""
            for apply, argument in steps:
                text = apply(text, argument, time_zone)
            out[index] = text
        return "".join(out)

    def bind(self, values: Mapping[str, str]) -> Self:
        """Fill in what is the same for all readers, leaving less to do for each.

        A missing value stays open, so that missing() still names it. A moment to be shown in
        the reader's time zone keeps its place until render().
        """
        bound = [
            _bind(segment, piece, values)
            for segment, piece in zip(self.segments, self.pieces, strict=True)
        ]
        return type(self)(tuple(s for s, _ in bound), tuple(p for _, p in bound))

    def in_zone(self, zone: tzinfo) -> Self:
        """Write out the moments that `bind` left, for readers in one time zone."""
        if not any(slot.value is not None for slot in self.slots):
            return self
        pieces = (
            piece if isinstance(piece, str) or piece.value is None else piece.shown(zone)
            for piece in self.pieces
        )
        return type(self)(self.segments, tuple(pieces))

    def for_url(self) -> Self:
        """Percent-encode what is inserted, except a value that opens the URL with its scheme."""
        pieces = [
            piece._replace(steps=(*piece.steps, URL_QUOTE))
            if isinstance(piece, Slot) and index > 0
            else piece
            for index, piece in enumerate(self.pieces)
        ]
        return type(self)(self.segments, tuple(pieces))


def _bind(
    segment: Segment, piece: str | Slot, values: Mapping[str, str]
) -> tuple[Segment, str | Slot]:
    if isinstance(piece, str) or piece.value is not None or piece.name not in values:
        return segment, piece
    value = values[piece.name]
    if not value and not piece.is_optional:
        return segment, piece
    text = run(value, piece.steps)
    if text is None:
        return segment, piece._replace(value=value)
    return Segment("value", text), text
