"""An expansion that is cut off, stopped or run twice at once: everybody once, or nobody more."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from channels_app.models import Delivery, State, Tally
from notifications import tasks
from notifications.audience import Audience
from notifications.composing import Draft
from notifications.expansion import Batch, expand_batch
from notifications.models import ORIGIN, Notification, Recipient, Stage
from notifications.rendering import Renderer, render_for, shared_values
from notifications.schedule import start
from notifications.services import notify, stop
from notifications.text.content import ContentError, ContentSource
from project.access.audit import Actor
from tests.support.channels import make_channel
from tests.support.workers import ROOT, environment

pytestmark = pytest.mark.django_db(transaction=True)
BY = Actor.hub("test")
PEOPLE = 300


@pytest.fixture
def started(tenant) -> Notification:
    """A notification to 300 people, started and expanded to nobody yet."""
    make_channel(tenant, "chat", name="Chat", is_default=True)
    Recipient.objects.bulk_create(
        Recipient(tenant=tenant, login=f"person{number}") for number in range(PEOPLE)
    )
    draft = Draft(audience=Audience(everyone=True), body="Hello @recipient.login")
    notification = notify(tenant, draft, by=BY)
    start(notification.pk, timezone.now())
    notification.refresh_from_db()
    return notification


def everybody_once(notification: Notification) -> None:
    rows = Delivery.objects.of_origin(ORIGIN, notification.pk)
    people = rows.order_by("recipient_id").values_list("recipient_id", flat=True)
    assert list(people) == list(Recipient.objects.order_by("pk").values_list("pk", flat=True))
    texts = {(row.recipient, row.payload["text"]) for row in rows}
    assert texts == {(f"person{n}", f"Hello person{n}") for n in range(PEOPLE)}
    assert Tally.objects.get(origin_kind=ORIGIN, origin_id=notification.pk).total == PEOPLE


# A worker's process: its task, in small batches and without the dispatch loop. It says "ready",
# begins when it is told to, and says "batch" after each one.
_PROCESS = """
import sys, django
django.setup()
from django.conf import settings
from notifications import expansion, tasks
settings.DRAINS, expansion.BATCH = 0, 10
store = expansion.Batch.store
def say(batch):
    added = store(batch)
    print("batch", added, flush=True)
    return added
expansion.Batch.store = say
if "inside" in sys.argv:
    from channels_app.models.tally import TallyQuerySet
    shift, seen = TallyQuerySet.shift, []
    def stay(self, *given):
        shift(self, *given)
        seen.append(given)
        if len(seen) == 3:
            print("inside", flush=True)
            sys.stdin.read()
    TallyQuerySet.shift = stay
print("ready", flush=True)
sys.stdin.readline()
tasks.expand(int(sys.argv[1]))
"""


@contextmanager
def expanding(notification: Notification, *how: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _PROCESS, str(notification.pk), *how],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        said(process, "ready")
        yield process
    finally:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(word):
            return
    raise AssertionError(f"it ended before it said {word!r}")


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.processes
def test_two_processes_that_expand_it_at_once_add_nobody_twice(started):
    with expanding(started) as one, expanding(started) as two:
        go(one)
        go(two)
        ended = [process.communicate(timeout=120)[0].split() for process in (one, two)]
    everybody_once(started)
    added = [word for words in ended for word in words if word.isdigit()]
    assert sum(map(int, added)) == PEOPLE


@pytest.mark.processes
@pytest.mark.parametrize("where", ["batch", "inside"])
def test_an_expansion_whose_process_is_killed_goes_on_where_its_last_commit_was(started, where):
    """Killed between two batches; and with the third one's rows written and not committed."""
    with expanding(started, where) as process:
        go(process)
        said(process, where)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    before = Delivery.objects.count()
    assert 10 <= before < PEOPLE
    assert before % 10 == 0
    if where == "inside":
        assert before == 20
    assert Tally.objects.get(origin_kind=ORIGIN, origin_id=started.pk).total == before
    while expand_batch(started.pk) is not None:
        pass
    everybody_once(started)


def test_of_two_that_read_the_same_people_the_first_adds_them(started, monkeypatch):
    monkeypatch.setattr("notifications.expansion.BATCH", PEOPLE - 1)
    first, second = Batch.next_of(started.pk), Batch.next_of(started.pk)
    assert first is not None
    assert second is not None
    assert (first.store(), second.store()) == (PEOPLE - 1, 0)
    last, late = Batch.next_of(started.pk), Batch.next_of(started.pk)
    assert last is not None
    assert late is not None
    assert (last.store(), late.store()) == (1, 0)
    end, too_late = Batch.next_of(started.pk), Batch.next_of(started.pk)
    assert end is not None
    assert too_late is not None
    assert (end.store(), too_late.store()) == (None, 0)
    assert Batch.next_of(started.pk) is None
    everybody_once(started)


def test_a_stop_ends_it_even_where_people_were_read_already(started, monkeypatch):
    monkeypatch.setattr("notifications.expansion.BATCH", 100)
    assert expand_batch(started.pk) == 100
    read = Batch.next_of(started.pk)
    assert read is not None
    stop(started, by=BY)
    assert read.store() == 0
    tasks.expand(started.pk)
    assert Delivery.objects.count() == 100
    assert set(Delivery.objects.values_list("state", flat=True)) <= {
        State.CANCELLED,
        State.QUEUED,
    }
    started.refresh_from_db()
    assert started.stage == Stage.CANCELLED


# --- for many as for one ------------------------------------------------------------------------

CARD = """{
    "title": "@recipient.name",
    "text": "@event.moment|date:\\"time\\"",
    "actions": [{"title": "@recipient.first_name", "url": "https://x.example/@recipient.name"}]
}"""
BODIES = (
    ("TEXT", "The same for all."),
    ("TEXT", 'Hello @recipient.first_name (@recipient.name|upper), @event.day|date:"long"'),
    ("TEXT", 'At @event.moment|date:"j M Y, H:i T" in @recipient.time_zone, @recipient.locale'),
    ("TEXT", '@recipient.name|date:"H:i T" and @event.moment and @event.none|default:"none"'),
    ("TEXT", "@event.none@recipient.name|truncate:3"),
    ("TEXT", "@event.none"),
    ("IMAGE", '{"url": "https://x.example/@recipient.login?q=@event.odd", "text": "@event.odd"}'),
    ("IMAGE", "@recipient.name"),
    ("CARD", CARD),
)
EVENT = {
    "day": "2026-03-05",
    "moment": "2026-03-05T23:30:00+00:00",
    "odd": 'a&b "c" <d> \\ \n\t🌊 @recipient.name',
}
NAMES = (
    "",
    " ",
    "Ana Ruiz",
    "Björn",
    "2026-01-01T00:00:00+00:00",
    "http://a.example/ü",
    "\ud83c",
    "a\0",
)


@pytest.mark.parametrize(("kind", "body"), BODIES)
def test_a_message_for_many_is_worded_as_for_one(tenant, kind, body):
    values = shared_values(tenant=tenant, title='A "title"', message="Hm", event=EVENT)
    content = ContentSource.from_text(kind, body).bind(values)
    many = Renderer(content, tenant, subject='A "title"')
    for name, zone, locale in product(NAMES, ("", "Asia/Shanghai", "UTC"), ("", "de-AT")):
        person = Recipient(
            tenant=tenant, login="ana@x.example", name=name, time_zone=zone, locale=locale
        )
        alone = outcome(lambda: render_for(content, person, tenant, subject='A "title"'))  # noqa: B023
        assert outcome(lambda: json.loads(many.json_for(person))) == alone  # noqa: B023


def outcome(render: Callable[[], dict[str, Any]]) -> dict[str, Any] | str:
    """The payload, or what is wrong with it."""
    try:
        return render()
    except ContentError as error:
        return str(error)


def test_batches_shrink_where_they_keep_others_out_for_long_and_grow_again(started, monkeypatch):
    """On SQLite alone, which has one writer; on PostgreSQL nobody is kept out."""
    sizes: list[int] = []
    held = iter([1.0, 1.0, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01])
    store = Batch.store

    def measured(batch: Batch) -> int | None:
        added = store(batch)
        sizes.append(len(batch.people))
        batch.held = next(held)
        return added

    monkeypatch.setattr(Batch, "store", measured)
    monkeypatch.setattr("notifications.expansion.BATCH", 100)
    monkeypatch.setattr(tasks, "SMALLEST", 10)
    monkeypatch.setattr("channels_app.tasks.drain", lambda: None)
    tasks.expand(started.pk)
    everybody_once(started)
    if settings.SQLITE:
        assert sizes == [100, 20, 10, 20, 40, 80, 30, 0]
    else:
        assert sizes == [100, 100, 100, 0]
