"""Transcripts: what stands in them, who may have them, and that it is written down."""

import json
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from channels_app.models import Message, Session
from channels_app.sessions import services
from channels_app.sessions.services import Said
from project.access.models import AuditEntry

from .conftest import LIST


def downloads():
    return AuditEntry.objects.filter(action="session.transcript")


def fetch(client, session: Session, form: str):
    response = client.get(f"{LIST}{session.pk}/transcript.{form}")
    assert response.status_code == 200
    assert response.streaming
    return response, response.getvalue().decode()


@pytest.fixture
def talk(clock, begin, mara, ines) -> Session:
    session = begin(integration="SMS", attributes={"plan": "gold"})
    clock.shift(40)
    session = services.join(session, agent=mara)
    clock.shift(5)
    services.accept_message(session, Said(text="is it back yet?\nI wait\r\n12:00:50  Mara: yes"))
    clock.shift(5)
    services.say(
        session,
        Said(
            text="Yes.",
            attachment_type="File",
            attachment_url="https://acme.example/guide.pdf",
            attachment_name="guide.pdf",
        ),
        agent=mara,
    )
    clock.shift(10)
    services.accept_message(
        session, Said(attachment_type="Image", attachment_url="http://10.0.0.1/a.png")
    )
    services.transfer(session, agent=mara, to_agent=ines)
    session = services.join(session, agent=ines)
    clock.shift(86_400 - 3600)
    return services.end_by_agent(session, agent=ines)


def test_the_text_reads_like_the_conversation(talk, auditor):
    response, text = fetch(auditor, talk, "txt")
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert (
        text
        == f"""\
Acme Utilities: session {talk.pk} with Ana Ruiz
Session ID: {talk.public_id}
Channel: Callbacks
Work type: Billing
Opened: Mon 23 Nov 2026, 12:00:00
Ended by Ines, Tue 24 Nov 2026, 11:01:00
Times in Europe/Madrid

Mon 23 Nov 2026
12:00:00  Came up
12:00:40  Mara joined
12:00:45  Ana Ruiz: is it back yet?
          I wait
          12:00:50  Mara: yes
12:00:50  Mara: Yes.
          [File] https://acme.example/guide.pdf (guide.pdf)
12:01:00  Ana Ruiz: [Image] http://10.0.0.1/a.png
          (not processed: Attachment refused: its URL points inside a private network.)
12:01:00  Mara transferred it to Ines
12:01:00  Ines joined

Tue 24 Nov 2026
11:01:00  Ended by Ines
"""
    )


def test_an_open_session_says_that_it_goes_on(clock, begin, auditor):
    assert "Still open, Mon 23 Nov 2026, 12:00:00" in fetch(auditor, begin(), "txt")[1]


def test_nobody_can_write_a_line_in_anothers_name(clock, begin, auditor):
    session = begin("Ana\n12:00:00  Mara: I pay")
    text = "a\x0b12:00:01  Mara: b\u202812:00:02  Mara: c\x1b[2J\u202egnirts\0".replace("\0", "")
    services.accept_message(session, Said(text=text))
    said = fetch(auditor, session, "txt")[1]
    assert not re.search(r"^12:00:0[0-9]  Mara", said, re.MULTILINE)
    assert not set(said) & set("\x0b\x1b\u2028\u202e\r")


def test_the_json_holds_everything_in_its_documented_shape(talk, auditor):
    response, text = fetch(auditor, talk, "json")
    assert response.headers["Content-Type"] == "application/json"
    found = json.loads(text)
    assert found["session"] == {
        "id": str(talk.public_id),
        "number": talk.pk,
        "organization": talk.tenant.org_id,
        "channel": {"name": "Callbacks", "kind": "alvaria_callback"},
        "contact": {"name": "Ana Ruiz", "id": talk.contact},
        "work_type": {"id": "32", "name": "Billing"},
        "asked_work_type": "32",
        "agent": "Ines",
        "integration": "SMS",
        "attributes": {"plan": "gold"},
        "vendor_id": None,
        "state": "ended",
        "reason": None,
        "opened_at": "2026-11-23T11:00:00.000Z",
        "ends_at": "2026-11-23T15:00:00.000Z",
        "ended_at": "2026-11-24T10:01:00.000Z",
        "ended_by": "agent",
        "written_at": "2026-11-24T10:01:00.000Z",
    }
    entries = found["entries"]
    assert [entry["at"] for entry in entries] == sorted(entry["at"] for entry in entries)
    assert [entry["event"] for entry in entries if entry["type"] == "event"] == [
        *("NEW_SESSION", "AGENT_JOINED", "MESSAGE_STATUS", "SESSION_REROUTE", "OFFERED"),
        *("AGENT_JOINED", "SESSION_END"),
    ]
    said = Message.objects.get(text="Yes.")
    assert [entry for entry in entries if entry.get("text") == "Yes."] == [
        {
            "type": "message",
            "id": str(said.public_id),
            "at": "2026-11-23T11:00:50.000Z",
            "author": {"kind": "agent", "name": "Mara"},
            "text": "Yes.",
            "attachment": {
                "type": "File",
                "url": "https://acme.example/guide.pdf",
                "name": "guide.pdf",
            },
            "state": "processed",
            "reason": None,
            "delivery_state": "queued",
        }
    ]


def test_a_session_without_a_word_is_valid_json_as_well(clock, begin, auditor):
    found = json.loads(fetch(auditor, begin(work_type="99"), "json")[1])
    assert found["session"]["work_type"] is None
    assert [entry["event"] for entry in found["entries"]] == ["NEW_SESSION"]


def test_a_long_session_comes_whole_and_in_pieces(
    clock, begin, auditor, django_assert_max_num_queries
):
    session = begin()
    Message.objects.bulk_create(
        Message(
            session=session,
            author="contact",
            author_name="Ana",
            text=f"line {number}",
            at=timezone.now() + timedelta(seconds=number),
        )
        for number in range(2300)
    )
    with django_assert_max_num_queries(18):
        found = json.loads(fetch(auditor, session, "json")[1])
    texts = [entry["text"] for entry in found["entries"] if entry["type"] == "message"]
    assert texts == [f"line {number}" for number in range(2300)]


@pytest.mark.parametrize("form", ["txt", "json"])
def test_each_download_is_in_the_audit_trail(talk, auditor, form):
    response, _ = fetch(auditor, talk, form)
    entry = downloads().get()
    assert entry.details == {"format": form}
    assert (entry.target_kind, entry.target_id) == ("session", str(talk.pk))
    assert entry.tenant == talk.tenant
    disposition = response.headers["Content-Disposition"]
    assert disposition == f'attachment; filename="session-{talk.pk}.{form}"'


def test_the_name_of_the_contact_is_no_part_of_the_files_name(clock, begin, auditor):
    session = begin('../../"; x=\r\n<b>')
    response, _ = fetch(auditor, session, "txt")
    assert response.headers["Content-Disposition"].endswith(f'"session-{session.pk}.txt"')


@pytest.mark.parametrize("path", ["{pk}/transcript.xml", "{pk}/transcript.TXT", "0/transcript.txt"])
def test_what_is_no_transcript_is_not_found(talk, auditor, path):
    assert auditor.get(LIST + path.format(pk=talk.pk)).status_code == 404
    assert not downloads().exists()


def test_another_tenants_transcript_is_not_found(theirs, auditor):
    for form in ("txt", "json"):
        path = f"{LIST}{theirs.session.pk}/transcript.{form}"
        assert auditor.get(path).status_code == 404


def test_looking_at_its_headers_is_no_download(talk, auditor):
    assert auditor.head(f"{LIST}{talk.pk}/transcript.txt").status_code == 405
    assert not downloads().exists()
