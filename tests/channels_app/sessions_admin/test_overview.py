"""The first page says who waits for an agent."""

import re
from html import unescape

from django.db import connection
from django.test.utils import CaptureQueriesContext

from channels_app.sessions import services


def text(client) -> str:
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", client.get("/admin/").content.decode()))
    return unescape(plain)


def test_how_many_wait_and_how_long_the_first_has(clock, begin, mara, client_as, theirs):
    auditor = client_as("Auditor")
    assert "Sessions that wait see them Nobody waits." in text(auditor)
    begin("Ana")
    clock.shift(161)
    assert "1 waits for an agent 2 min 41 s" in text(auditor)
    begin("Bo")
    assert "2 wait for an agent longest 2 min 41 s" in text(auditor)
    for name in ("Chidi", "Lena"):
        services.join(begin(name), agent=mara)
    assert "2 wait for an agent" in text(auditor)


def test_an_agent_sees_it_though_notifications_are_not_theirs(clock, begin, client_as):
    begin()
    assert "1 waits for an agent" in text(client_as("Agent"))


def test_it_costs_one_query_however_many_wait(clock, begin, client_as):
    client = client_as("Auditor")
    client.get("/admin/")
    with CaptureQueriesContext(connection) as few:
        client.get("/admin/")
    for number in range(20):
        begin(f"Ana {number}")
    with CaptureQueriesContext(connection) as many:
        client.get("/admin/")
    assert len(many) == len(few)
    asked = [query["sql"] for query in many if 'FROM "channels_app_session"' in query["sql"]]
    assert len(asked) == 1
