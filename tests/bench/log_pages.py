"""The pages that the log's row asks for, by kind: each filter, combinations, depths."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import urlencode

from tests.bench.large_log import GONE, LargeLog, Sending, person

LOG = "/admin/channels_app/delivery/"
NOTIFICATION = "/admin/notifications/notification/"
Query = dict[str, object]


def kinds(log: LargeLog) -> Iterator[tuple[str, list[str]]]:
    """(what they are, their addresses); for people of the large tenant."""
    for name, queries in filters(log):
        for where, places in depths(log):
            addresses = [
                f"{LOG}?{urlencode(query | place, doseq=True)}"
                for query in queries
                for place in places
                if fits(query, place)
            ]
            yield f"{name}, {where}", addresses
    yield from details(log)


def fits(query: Query, place: Query) -> bool:
    """Whether a link leads there: a place far back is a moment, and within the dates asked for."""
    ranged = {"since", "until", "notification"} & query.keys()
    return not ranged or not str(place.get("at", "")).startswith("older")


def depths(log: LargeLog) -> Iterator[tuple[str, list[Query]]]:
    yield "newest", [{}]
    span = log.sendings[-1].at - log.oldest
    moments = [log.oldest + span * share for share in (0.9, 0.5, 0.1)]
    yield "far back", [{"at": f"older.{_micros(moment)}.1"} for moment in moments]
    yield "oldest", [{"at": "oldest"}]


def filters(log: LargeLog) -> Iterator[tuple[str, list[Query]]]:
    """Those that the page offers, and combinations that people make of them."""
    from channels_app.models import State

    ours = [sending for sending in log.sendings if sending.channel.tenant == log.tenant]
    channels = {sending.channel.name: sending.channel.pk for sending in ours}
    everyday, rare = [channels[name] for name in ("Chat", "E-mail", "Webhook")], "Rarely used"
    by_size = sorted(ours, key=lambda sending: sending.people)
    sizes = [by_size[0].pk, by_size[-10].pk, by_size[-1].pk]
    stopped = next(sending.pk for sending in ours if "cancelled" in sending.states)
    gone = log.people // GONE * GONE  # a person who was deleted
    people = [person(number) for number in (1, 11, 7 * log.people // 9, gone)]
    states = list(State.values)
    yield "all", [{}]
    yield "state", [{"state": state} for state in states]
    yield (
        "several states",
        [
            {"state": ["failed", "expired"]},
            {"state": ["queued", "sending"]},
            {"state": ["sent", "delivered", "cancelled"]},
            {"state": states[:-1]},
        ],
    )
    yield "channel", [{"channel": pk} for pk in (*everyday, channels[rare])]
    yield "person", [{"recipient": who} for who in (*people, "nobody@acme.example")]
    yield "notification", [{"notification": pk} for pk in sizes]
    yield "message", [{"message": number} for number in (1, log.deliveries // 2, 10**15)]
    yield "dates", list(dates(log))
    yield (
        "channel and state",
        [{"channel": pk, "state": state} for pk in (*everyday, channels[rare]) for state in states],
    )
    yield (
        "channel and several states",
        [{"channel": pk, "state": ["failed", "expired"]} for pk in everyday],
    )
    yield (
        "channel and person",
        [{"channel": pk, "recipient": people[1]} for pk in (*everyday, channels[rare])],
    )
    yield (
        "person and state",
        [{"recipient": who, "state": state} for who in people for state in ("sent", "failed")],
    )
    yield (
        "notification and state",
        [
            {"notification": pk, "state": state}
            for pk in (*sizes, stopped)
            for state in ("sent", "failed", "queued", "cancelled")
        ],
    )
    yield (
        "notification and person",
        [{"notification": pk, "recipient": who} for pk in sizes for who in people],
    )
    yield (
        "notification and channel",
        [{"notification": pk, "channel": channel} for pk in sizes for channel in everyday],
    )
    yield (
        "dates and state",
        [date | {"state": state} for date in dates(log) for state in ("sent", "failed", "queued")],
    )
    yield "dates and channel", [date | {"channel": pk} for date in dates(log) for pk in everyday]
    yield (
        "dates, channel and state",
        [date | {"channel": pk, "state": "failed"} for date in dates(log) for pk in everyday],
    )
    yield "dates and person", [date | {"recipient": people[1]} for date in dates(log)]
    yield (
        "dates and notification",
        [date | {"notification": pk} for date in dates(log) for pk in sizes],
    )


def dates(log: LargeLog) -> Iterator[Query]:
    newest, oldest = log.sendings[-1].at, log.oldest
    middle = oldest + (newest - oldest) / 2
    yield {"since": _text(newest - timedelta(hours=1))}
    yield {"until": _text(oldest + timedelta(hours=1))}
    yield {"since": _text(middle), "until": _text(middle + timedelta(days=1))}
    yield {"since": _text(oldest - timedelta(days=400)), "until": _text(oldest - timedelta(days=1))}


def details(log: LargeLog) -> Iterator[tuple[str, list[str]]]:
    """A delivery's page with its timeline, a notification's with its progress, the first one."""
    from channels_app.models import Delivery

    ours = [sending for sending in log.sendings if sending.channel.tenant == log.tenant]
    some = [
        row
        for state in ("expired", "queued", "delivered", "cancelled", "failed")
        for row in Delivery.objects.of(log.tenant).filter(state=state).values_list("pk")[:3]
    ]
    yield "a delivery", [f"{LOG}{pk}/change/" for (pk,) in some]
    by_size = sorted(ours, key=lambda sending: sending.people)
    shown = [by_size[0], by_size[-10], by_size[-1], ours[-1]]
    yield "a notification", [_page(sending) for sending in shown]
    yield (
        "a notification's progress",
        [f"{NOTIFICATION}{sending.pk}/progress/" for sending in (by_size[-1], ours[-1])],
    )
    yield "notifications", [NOTIFICATION]
    yield "overview", ["/admin/"]


def _page(sending: Sending) -> str:
    return f"{NOTIFICATION}{sending.pk}/change/"


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes")


def _micros(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)
