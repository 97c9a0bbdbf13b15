"""A session's life as a line from its opening to its limit, laid out for an SVG.

Positions are shares of the width, so that the drawing fits any screen. What lies between now (or
its end) and the limit gets a quarter of the width at most: a talk of three minutes would be a dot
on four hours. Everything drawn stands as text beside it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from channels_app.log.timeline import Label
from channels_app.log.words import Clock, span
from channels_app.models import Author, Event, EventKind, Session, SessionState

# The events that are stations of a life; the others are on the time line below it.
STATIONS = (
    EventKind.NEW_SESSION,
    EventKind.AGENT_JOINED,
    EventKind.SESSION_REROUTE,
    EventKind.SESSION_END,
)
LEAST_LIVED = 75.0  # percent of the width
NARROWEST = 0.4  # percent between two ticks that are both drawn
ROOM_FOR_WORDS = 11.0  # percent under which a stretch says its words only when pointed at


@dataclass(frozen=True, slots=True)
class Stretch:
    """What went on between two stations."""

    x: str
    end: str
    kind: str  # opening, waiting, answered, open
    words: str
    label: Label | None


@dataclass(frozen=True, slots=True)
class Station:
    x: str
    kind: str  # opened, joined, transferred, ended, now
    when: str
    words: str


@dataclass(frozen=True, slots=True)
class Tick:
    x: str
    is_theirs: bool  # the contact's, else to the contact


@dataclass(frozen=True, slots=True)
class Life:
    heading: str
    starts: str
    ends: str
    lived: str  # where now, or the end, lies
    has_limit: bool  # a limit lies behind it
    is_to_scale: bool
    stretches: list[Stretch]
    stations: list[Station]
    ticks: list[Tick]
    summary: str


def lay_out(
    session: Session,
    events: Sequence[tuple[Event, str]],
    said: Iterable[tuple[datetime, str]],
    counts: tuple[int, int],
    clock: Clock,
) -> Life:
    """``events``: the stations in order, each with its words; ``said``: when, and by which Author;
    ``counts``: how many messages came from the contact, and went to them."""
    scale = _Scale(session, clock.now)
    stations = [Station(scale.at(session.created_at), "opened", "", "Opened")]
    stations += [Station(scale.at(event.at), _kind(event), "", words) for event, words in events]
    moments = [session.created_at, *(event.at for event, _ in events)]
    if session.is_open:
        stations.append(Station(scale.at(clock.now), "now", "", _now(session)))
        moments.append(clock.now)
    stations = [
        Station(each.x, each.kind, clock.when(moment), each.words)
        for each, moment in zip(stations, moments, strict=True)
    ]
    ends = f"now {clock.when(clock.now)}" if session.is_open else ""
    if scale.limit:
        ends = f"limit {clock.when(scale.limit)}"
    elif session.ended_at:
        ends = f"ended {clock.when(session.ended_at)}"
    lived = span(scale.until - session.created_at)
    return Life(
        heading=f"{lived} so far" if session.is_open else f"{lived}, over",
        starts=f"opened {clock.when(session.created_at)}",
        ends=ends,
        lived=f"{scale.lived:.2f}%",
        has_limit=scale.limit is not None,
        is_to_scale=scale.is_even,
        stretches=list(_stretches(session, events, scale)),
        stations=stations,
        ticks=list(_ticks(said, scale)),
        summary=_summary(session, counts, lived, clock),
    )


class _Scale:
    def __init__(self, session: Session, now: datetime) -> None:
        self.start = session.created_at
        self.until = max(session.ended_at or now, self.start)
        self.length = max(self.until - self.start, timedelta(milliseconds=1))
        limit = session.ends_at
        self.limit = limit if limit and limit > self.until else None
        share = 100 * (self.length / (self.limit - self.start)) if self.limit else 100.0
        self.is_even = share >= LEAST_LIVED
        self.lived = max(share, LEAST_LIVED)

    def percent(self, moment: datetime) -> float:
        """Clocks of two hosts differ: what seems to lie outside is drawn at the edge."""
        return self.lived * min(1, max(0, (moment - self.start) / self.length))

    def at(self, moment: datetime) -> str:
        return f"{self.percent(moment):.2f}%"


def _kind(event: Event) -> str:
    return {
        EventKind.AGENT_JOINED: "joined",
        EventKind.SESSION_REROUTE: "transferred",
        EventKind.SESSION_END: "ended",
    }.get(EventKind(event.kind), "opened")


def _now(session: Session) -> str:
    match session.state:
        case SessionState.WAITING:
            return "Waits for an agent"
        case SessionState.ACTIVE:
            return f"With {session.agent}"
        case SessionState.OPENING:
            return "Is to come up"
    return "Open"


def _stretches(
    session: Session, events: Sequence[tuple[Event, str]], scale: _Scale
) -> Iterator[Stretch]:
    begun, kind, who = session.created_at, "opening", ""
    if session.state == SessionState.QUIET:
        kind = "open"
    steps = [(event.at, event) for event, _ in events]
    for at, event in [*steps, (scale.until, None)]:
        if at > begun:
            yield _stretch(begun, at, kind, who, scale)
        if event is None:
            return
        begun = max(at, begun)
        match event.kind:
            case EventKind.AGENT_JOINED:
                kind, who = "answered", str(event.data.get("agentAlias", ""))
            case EventKind.NEW_SESSION if session.waiting_since is None:
                kind = "open"  # nobody here needs to answer
            case EventKind.NEW_SESSION | EventKind.SESSION_REROUTE:
                kind, who = "waiting", ""
            case EventKind.SESSION_END:
                return


def _stretch(begun: datetime, at: datetime, kind: str, who: str, scale: _Scale) -> Stretch:
    length = span(at - begun)
    words = {
        "opening": f"coming up {length}",
        "waiting": f"waiting {length}",
        "answered": f"{who} {length}".strip(),
    }.get(kind, f"open {length}")
    x, end = scale.percent(begun), scale.percent(at)
    label = None
    if end - x >= ROOM_FOR_WORDS:
        label = Label(f"{(x + end) / 2:.2f}%", "middle", words)
    return Stretch(f"{x:.2f}%", f"{end:.2f}%", kind, words, label)


def _ticks(said: Iterable[tuple[datetime, str]], scale: _Scale) -> Iterator[Tick]:
    drawn = set()
    for at, author in said:
        place, theirs = round(scale.percent(at) / NARROWEST), author == Author.CONTACT
        if (place, theirs) not in drawn:
            drawn.add((place, theirs))
            yield Tick(f"{place * NARROWEST:.2f}%", theirs)


def _summary(session: Session, counts: tuple[int, int], lived: str, clock: Clock) -> str:
    theirs, ours = counts
    if not theirs and not ours:
        said = "Nobody has said anything" if session.is_open else "Nobody said anything"
    else:
        noun = "message" if theirs == 1 else "messages"
        said = f"{theirs:,} {noun} from the contact, {ours:,} to them"
    if session.is_open and session.ends_at:
        return f"Open for {lived}. {said}. It ends by itself at {clock.when(session.ends_at)}."
    if session.state == SessionState.QUIET:
        return f"Open for {lived}. {said}."
    if session.is_open:
        return f"Open for {lived}. {said}. Its limit counts from when an agent first joins."
    return f"Lasted {lived}. {said}."
