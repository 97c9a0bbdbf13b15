"""An audience becomes deliveries: how many rows a second, and in how much memory.

The people are made by the database itself; the expansion runs as a worker runs it, in a process
of its own whose dispatch loops are kept from starting (CARILLON_DRAINS=0).
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.place import ROOT
from tests.bench.result import Result

PEOPLE = 1_000_000
FEW = 50  # people, expanded first: what a process is before it expands anybody
BODY = (
    "Hello @recipient.first_name, the @event.service is down for maintenance until "
    '@event.until|date:"j M Y, H:i", and will be back @event.back|default:"soon after".'
)
EVENT = {"service": "mail server", "until": "2026-11-24T06:00:00+00:00"}

# Names and logins in no order, as they come from a directory; one person in three has an address
# of their own, one in a hundred has opted out of webhooks or of everything.
_PEOPLE = """
INSERT INTO notifications_recipient (tenant_id, login, login_key, name, locale, time_zone,
    is_active, last_channel_id, created_at, updated_at)
WITH RECURSIVE people (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM people WHERE n < %(count)s),
    mixed (n, m) AS (SELECT n, n * 1009 %% 2000003 FROM people)
SELECT %(tenant)s, 'person' || m || '@load.example', 'person' || m || '@load.example',
    CASE m %% 4 WHEN 0 THEN 'Ana' WHEN 1 THEN 'Björn' WHEN 2 THEN 'Chidi' ELSE 'Dora' END
        || ' ' || CASE m %% 3 WHEN 0 THEN 'O''Neil' WHEN 1 THEN 'Ruiz' ELSE 'Østergård' END,
    '', CASE m %% 5 WHEN 0 THEN 'Asia/Shanghai' WHEN 1 THEN 'America/New_York' ELSE '' END,
    %(active)s, CASE WHEN m %% 3 = 0 THEN %(email)s WHEN m %% 3 = 1 THEN %(webhook)s END,
    %(now)s, %(now)s FROM mixed ORDER BY n
"""
_ADDRESSES = """
INSERT INTO notifications_address (recipient_id, kind, value)
SELECT id, %(kind)s, 'at.' || login FROM notifications_recipient WHERE id %% 3 = %(third)s
ORDER BY id
"""
_OPT_OUTS = """
INSERT INTO notifications_optout (recipient_id, kind, since)
SELECT id, CASE WHEN id %% 200 = 0 THEN '*' ELSE 'webhook' END, %(now)s
FROM notifications_recipient WHERE id %% 100 = 0 ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Expanded:
    """What the expanding process says of itself. Megabytes; ``before`` is with ``FEW`` people."""

    rows: int
    seconds: float
    cpu: float
    peak: float
    before: float


def measure(scale: float) -> list[Result]:
    count = max(int(PEOPLE * scale), FEW)
    tenant, webhook = furnish(count)
    one = expanded(released(tenant, channel=webhook))
    last = expanded(released(tenant, channel=None))
    if one.rows != count or last.rows != count:
        raise RuntimeError(f"{one.rows} and {last.rows} deliveries for {count} people")
    return [
        *results("expansion", one, bar=15_000),
        *results("expansion, last used channel", last, bar=15_000),
    ]


def results(what: str, found: Expanded, *, bar: float) -> list[Result]:
    note = f"{found.rows:,} people in {found.seconds:.0f} s, {found.cpu:.0f} s of CPU"
    grown = f"{found.before:.0f} MB with {FEW} people"
    return [
        Result(what, found.rows / found.seconds, "rows/s", bar=bar, note=note),
        Result(f"{what}, peak RSS", found.peak, "MB", bar=200, sense="at_most", note=grown),
    ]


def furnish(count: int) -> tuple[Any, Any]:
    """Make a tenant with its channels and so many people; returns it and its webhook."""
    from django.db import connection
    from django.utils import timezone

    from channels_app.models import Channel
    from project.access.models import Tenant

    tenant = Tenant.objects.create(name="Load", time_zone="Europe/Madrid")
    url = {"url": "http://127.0.0.1:9/"}
    webhook = Channel.objects.create(tenant=tenant, name="Hook", kind="webhook", settings=url)
    email = Channel.objects.create(tenant=tenant, name="E-mail", kind="email")
    Channel.objects.create(tenant=tenant, name="Chat", kind="chat", is_default=True)
    values: dict[str, Any] = {
        "count": count,
        "tenant": tenant.pk,
        "webhook": webhook.pk,
        "email": email.pk,
        "active": True,
        "now": timezone.now(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE, values)
        cursor.execute(_ADDRESSES, {"kind": "webhook", "third": 0})
        cursor.execute(_ADDRESSES, {"kind": "email", "third": 1})
        cursor.execute(_OPT_OUTS, {"now": values["now"]})
        cursor.execute("ANALYZE")
    return tenant, webhook


def released(tenant: Any, *, channel: Any) -> int:
    """A notification to everyone whose time has come; returns its id."""
    from django.utils import timezone

    from notifications.models import Notification, Stage

    row = Notification.objects.create(
        tenant=tenant,
        title="Planned outage",
        stage=Stage.SENDING,
        audience={"everyone": True},
        body=BODY,
        event=EVENT,
        channel=channel,
        started_at=timezone.now(),
    )
    return row.pk


def expanded(pk: int) -> Expanded:
    """Expand it in a process of its own, whose dispatch loops do not start."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.rows.expansion", str(pk)],
        cwd=ROOT,
        env={**os.environ, "CARILLON_DRAINS": "0"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Expanded(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    import django

    django.setup()
    from django.utils import timezone

    from channels_app.models import Delivery
    from notifications.models import ORIGIN, Notification
    from notifications.tasks import expand
    from project.access.models import Tenant
    from project.forking import share_by_fork

    pk = int(sys.argv[1])
    # The same with a handful, so that everything is imported and connected.
    few = Tenant.objects.create(name=f"Few {pk}")
    few_channel = few.channels.create(name="Hook", kind="webhook")
    for number in range(FEW):
        few.recipients.create(login=f"few{number}", last_channel=few_channel)
    expand(released(few, channel=few_channel))
    share_by_fork(())  # as the worker has done before it forks whoever expands
    before = peak()
    began, cpu = time.monotonic(), time.process_time()
    while not Notification.objects.filter(pk=pk, expanded_at__isnull=False).exists():
        Notification.objects.filter(pk=pk).update(updated_at=timezone.now())
        expand(pk)  # it hands over to another task each minute
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    found = Expanded(
        rows=Delivery.objects.of_origin(ORIGIN, pk).count(),
        seconds=seconds,
        cpu=cpu,
        peak=peak(),
        before=before,
    )
    print(json.dumps({name: getattr(found, name) for name in found.__slots__}))


def peak() -> float:
    """The most memory that this process ever held, in MB: its own, not what forked it."""
    status = Path("/proc/self/status").read_text().split("VmHWM:")[1]
    return int(status.split()[0]) * 1024 / 1_000_000


if __name__ == "__main__":
    main()
