# ruff: noqa: S608 - the statements hold numbers and names of this file only
"""A large delivery log, written by set-based SQL: what months of sending leave behind.

Two tenants share it: one with nearly all, one with a hundredth. Notifications of many sizes
follow each other in time, each over one channel; of what they sent, a hundredth was replayed. The
tallies agree with the rows. The large tenant's people are there; every tenth was deleted since.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.bench.installation import demo

MONTHS = timedelta(days=90)
# How many notifications of which share of the people; together ten times the people.
SIZES = ((4, 1.0), (30, 0.1), (300, 0.01))
GONE = 10  # one in so many people was deleted
REPLAYED = 100  # one in so many deliveries was replayed, if it was sent
SMALL = 10  # notifications of the other tenant, of a hundredth of the people
# Thousandths of a notification's people that are in each state; the rest is sent.
USUAL = {"delivered": 250, "failed": 15, "expired": 10, "suppressed": 20}
CHAT = {"suppressed": 20}  # rows of this database: nothing fails
STOPPED = {"delivered": 100, "failed": 10, "cancelled": 600}
RUNNING = {"delivered": 250, "failed": 5, "queued": 300, "sending": 1}
# Tries by state; of what arrived, some took two or four.
TRIES = """CASE state WHEN 'suppressed' THEN 0 WHEN 'cancelled' THEN 0 WHEN 'failed' THEN 1
    WHEN 'expired' THEN 10 WHEN 'queued' THEN i % 4 WHEN 'sending' THEN 1
    ELSE CASE WHEN i % 100 < 90 THEN 1 WHEN i % 100 < 97 THEN 2 ELSE 4 END END"""


@dataclass(frozen=True, slots=True)
class Sending:
    """One notification's deliveries."""

    pk: int
    channel: Any
    people: int
    at: datetime
    states: dict[str, int]


@dataclass(frozen=True, slots=True)
class LargeLog:
    tenant: Any
    small: Any
    people: int
    sendings: list[Sending]
    deliveries: int
    attempts: int

    @property
    def oldest(self) -> datetime:
        return self.sendings[0].at

    def of(self, channel: Any) -> list[Sending]:
        return [sending for sending in self.sendings if sending.channel == channel]


def person(number: int) -> str:
    """The login of a person; numbers count from 1."""
    return f"person{number}@acme.example"


def make(deliveries: int) -> LargeLog:
    """Write about so many deliveries, of a tenth as many people."""
    from django.db import connection

    from channels_app.models import Channel
    from project.access.models import Tenant

    tenant = demo("http://127.0.0.1:9000/hook").tenant
    Channel.objects.create(tenant=tenant, name="Rarely used", kind="webhook")
    small = Tenant.objects.create(name="Small", is_demo=True)
    Channel.objects.create(tenant=small, name="Theirs", kind="webhook")
    people = deliveries // 10
    first = _first_free()
    sendings = list(_plan(tenant, small, people))
    with connection.cursor() as cursor:
        for statement in _QUICKLY[connection.vendor]:
            cursor.execute(statement)
        for sending in sendings:
            cursor.execute(_deliveries(sending, people, first))
        cursor.execute(_replays())
        for statement in _people(tenant, people, first):
            cursor.execute(statement)
        cursor.execute(_attempts())
        cursor.execute(_tallies())
        if connection.vendor == "postgresql":  # as its autovacuum does; SQLite has none
            cursor.execute("VACUUM ANALYZE")
        found = [_number(cursor, f"channels_app_{table}") for table in ("delivery", "attempt")]
    connection.close()  # and with it what made it quick
    return LargeLog(tenant, small, people, sendings, *found)


def _plan(tenant: Any, small: Any, people: int) -> Iterator[Sending]:
    """Make the notifications, oldest first."""
    from django.utils import timezone

    from channels_app.models import Channel
    from notifications.models import Notification, Stage

    ours = {channel.name: channel for channel in Channel.objects.of(tenant)}
    theirs = Channel.objects.get(tenant=small)
    usual = [ours["Chat"], ours["E-mail"], ours["E-mail"], ours["Webhook"]]
    sizes = [max(1, int(people * share)) for count, share in SIZES for _ in range(count)]
    random.Random(1).shuffle(sizes)
    todo = [(usual[number % len(usual)], size) for number, size in enumerate(sizes)]
    todo[3] = (ours["Rarely used"], sizes[3])
    every = len(todo) // SMALL
    for number in range(SMALL):
        todo.insert(number * every, (theirs, max(1, people // 100)))
    now = timezone.now()
    for number, (channel, size) in enumerate(todo):
        at = now - MONTHS * (1 - number / len(todo)) - timedelta(minutes=10)
        last = number == len(todo) - 1
        notification = Notification.objects.create(
            tenant=channel.tenant,
            title=f"Notification {number}",
            body="Hello",
            audience={"everyone": True},
            channel=channel,
            stage=Stage.SENDING if last else Stage.DONE,
            started_at=at,
            expanded_at=at,
            finished_at=None if last else at + timedelta(minutes=2),
        )
        states = STOPPED if number == len(todo) // 3 else RUNNING if last else USUAL
        if channel.kind == "chat":
            states = CHAT
        yield Sending(notification.pk, channel, size, at, states)


_QUICKLY = {
    "postgresql": ["SET synchronous_commit = off"],
    "sqlite": ["PRAGMA synchronous = OFF", "PRAGMA cache_size = -1000000"],
}


def _moment(seconds: str, micros: str) -> str:
    """SQL for a moment: seconds since 1970, as Django stores it."""
    from django.db import connection

    if connection.vendor == "postgresql":
        return f"to_timestamp({seconds}) + ({micros}) * interval '1 microsecond'"
    return f"strftime('%Y-%m-%d %H:%M:%S', {seconds}, 'unixepoch') || printf('.%06d', {micros})"


def _later(moment: str, seconds: str) -> str:
    from django.db import connection

    if connection.vendor == "postgresql":
        return f"{moment} + ({seconds}) * interval '1 second'"
    return f"strftime('%Y-%m-%d %H:%M:%f', {moment}, ({seconds}) || ' seconds') || '001'"


def _first_free() -> int:
    """The id before the first that a person can have here."""
    from notifications.models import Recipient

    return Recipient.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def _people(tenant: Any, people: int, first: int) -> Iterator[str]:
    """SQL that writes the people; of those who were deleted, the login that they had."""
    from django.db import connection

    yes = "TRUE" if connection.vendor == "postgresql" else "1"
    numbers = f"""WITH RECURSIVE numbers (n) AS (
            SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {people}
        ), people (n, id, login) AS (SELECT n, {first} + n, {_login("n")} FROM numbers)"""
    yield f"""
        INSERT INTO notifications_recipient (id, tenant_id, login, login_key, name, locale,
            time_zone, is_active, created_at, updated_at) {numbers}
        SELECT id, {tenant.pk}, login, login, '', '', '', {yes}, CURRENT_TIMESTAMP,
            CURRENT_TIMESTAMP FROM people WHERE n % {GONE} <> 0"""
    yield f"""
        INSERT INTO notifications_formerlogin (tenant_id, login, recipient_id) {numbers}
        SELECT {tenant.pk}, login, id FROM people WHERE n % {GONE} = 0"""


def _login(number: str) -> str:
    """SQL for `person`."""
    return f"'person' || ({number}) || '@acme.example'"


def _replays() -> str:
    """SQL that writes what was sent once more: deliveries of no person."""
    same = """tenant_id, channel_id, recipient, address, payload, state, reason, priority,
        ordering_key, due_at, deadline, attempt_count, lease_until, holder, vendor_id, created_at,
        settled_at"""
    return f"""
        INSERT INTO channels_app_delivery (origin_kind, origin_id, {same})
        SELECT 'replay', id, {same} FROM channels_app_delivery
        WHERE id % {REPLAYED} = 0 AND state = 'sent' ORDER BY id"""


def _deliveries(sending: Sending, people: int, first: int) -> str:
    """SQL that writes a notification's deliveries, a thousand a second."""
    upto, cases = 0, ""
    for state, share in sending.states.items():
        upto += share
        cases += f" WHEN (i % 1000 * 7919 + {sending.pk}) % 1000 < {upto} THEN '{state}'"
    begin = int(sending.at.timestamp())
    who = f"(1 + i * {people // sending.people})"
    hours = int(sending.channel.lifetime.total_seconds())
    values = {
        "tenant_id": str(sending.channel.tenant_id),
        "channel_id": str(sending.channel.pk),
        "origin_kind": "'notification'",
        "origin_id": str(sending.pk),
        "recipient_id": f"{first} + {who}",
        "recipient": _login(who),
        "address": _login(who),
        "payload": _json(
            f"""'{{"type": "TEXT", "text": "Hello person ' || {who} || ', the mail server is down"""
            """ for maintenance and will be back at eight. We are sorry for the trouble, and"""
            """ thank you for your patience."}'"""
        ),
        "state": "state",
        "reason": "CASE state WHEN 'failed' THEN 'HTTP 410' WHEN 'expired' THEN 'HTTP 503'"
        " WHEN 'suppressed' THEN 'Opted out.' ELSE '' END",
        "priority": "5",
        "ordering_key": "''",
        "due_at": _moment(f"{begin} + i / 1000 + 900", "1 + (i % 1000) * 999"),
        "deadline": _moment(f"{begin} + i / 1000 + {hours}", "1 + (i % 1000) * 999"),
        "attempt_count": TRIES,
        "lease_until": f"CASE state WHEN 'sending' THEN {_moment(str(begin + 3600), '1')} END",
        "holder": "''",
        "vendor_id": "''",
        "created_at": _moment(f"{begin} + i / 1000", "1 + (i % 1000) * 999"),
        "settled_at": "CASE WHEN state NOT IN ('queued', 'sending') THEN"
        f" {_moment(f'{begin} + i / 1000 + 2', '1 + (i % 1000) * 999')} END",
    }
    return f"""
        INSERT INTO channels_app_delivery ({", ".join(values)})
        WITH RECURSIVE numbers (i) AS (
            SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i < {sending.people - 1}
        ), rows (i, state) AS (SELECT i, CASE{cases} ELSE 'sent' END FROM numbers)
        SELECT {", ".join(values.values())} FROM rows ORDER BY i"""


def _json(text: str) -> str:
    from django.db import connection

    return f"({text})::jsonb" if connection.vendor == "postgresql" else text


def _attempts() -> str:
    """SQL that writes the tries of all deliveries: the last one as the state has it."""
    return f"""
        INSERT INTO channels_app_attempt
            (delivery_id, number, started_at, duration, outcome, status, error, answer)
        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10),
        tries (id, n, created_at, taken, refused) AS (
            SELECT id, n, created_at, n = attempt_count AND state IN ('sent', 'delivered'),
                state = 'failed'
            FROM channels_app_delivery JOIN numbers ON n <= attempt_count
        )
        SELECT id, n, {_later("created_at", "n * n * 10")}, 0.2,
            CASE WHEN taken THEN 'accepted' WHEN refused THEN 'rejected' ELSE 'unavailable' END,
            CASE WHEN taken THEN 200 WHEN refused THEN 410 ELSE 503 END,
            CASE WHEN taken THEN '' ELSE 'The far end did not take it.' END, '{{"ok": true}}'
        FROM tries"""


def _tallies() -> str:
    from channels_app.models import State

    sums = ", ".join(f"SUM(CASE state WHEN '{s}' THEN 1 ELSE 0 END)" for s in State.values)
    return f"""
        INSERT INTO channels_app_tally
            (tenant_id, origin_kind, origin_id, {", ".join(State.values)})
        SELECT tenant_id, origin_kind, origin_id, {sums}
        FROM channels_app_delivery GROUP BY tenant_id, origin_kind, origin_id"""


def _number(cursor: Any, table: str) -> int:
    cursor.execute(f"SELECT COUNT(*) FROM {table}")
    (number,) = cursor.fetchone()
    return int(number)
