"""What vendors told us is kept and shown, understood or not."""

import re
from html import unescape

import pytest

from channels_app.models import InboundEvent

EVENTS = "/admin/channels_app/inboundevent/"


def text(response) -> str:
    assert response.status_code == 200
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))
    return unescape(plain)


@pytest.fixture
def unknown(clock, callbacks) -> InboundEvent:
    return InboundEvent.objects.create(
        channel=callbacks,
        event_id="E-1",
        kind="<b>MOOD</b>",
        body={"event": "MOOD", "text": "<script>alert(1)</script>"},
        state="unknown",
        reason="No such event is known.",
    )


def test_one_that_nobody_understood_is_listed_and_shown_as_it_came(auditor, unknown):
    said = text(auditor.get(EVENTS))
    assert "12:00:00.000 <b>MOOD</b> Callbacks not understood No such event is known. none" in said
    page = auditor.get(f"{EVENTS}{unknown.pk}/change/").content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "<b>MOOD" not in page


def test_one_of_a_session_leads_to_it(auditor, begin):
    session = begin()
    InboundEvent.objects.create(
        channel=session.channel, event_id="E-2", kind="MESSAGE", body={}, session=session
    )
    page = auditor.get(EVENTS).content.decode()
    assert f'href="/admin/channels_app/session/{session.pk}/change/"' in page


def test_the_states_can_be_told_apart(auditor, unknown):
    assert "MOOD" in text(auditor.get(f"{EVENTS}?state=unknown"))
    assert "MOOD" not in text(auditor.get(f"{EVENTS}?state=pending"))
    assert auditor.get(f"{EVENTS}?state=asleep").status_code == 200


def test_the_list_is_paged_by_key_at_a_bounded_cost(
    auditor, callbacks, django_assert_max_num_queries
):
    InboundEvent.objects.bulk_create(
        InboundEvent(channel=callbacks, event_id=f"E{number}", kind=f"N{number}-", body={})
        for number in range(120)
    )
    seen, query = list[str](), ""
    with django_assert_max_num_queries(30):  # ten a page
        for _ in range(3):
            page = auditor.get(EVENTS + query).content.decode()
            seen += re.findall(r"N(\d+)-", page)
            found = re.search(r'href="(\?before=\d+)"', page)
            query = found[1] if found else ""
    assert [int(number) for number in seen] == list(range(119, -1, -1))


def test_another_tenants_are_not_shown(auditor, theirs):
    event = InboundEvent.objects.create(
        channel=theirs.channel, event_id="S", kind="SECRET", body={}
    )
    assert "SECRET" not in text(auditor.get(EVENTS))
    response = auditor.get(f"{EVENTS}{event.pk}/change/")
    assert response.headers["Location"] == "/admin/"


@pytest.mark.parametrize("group", ["Administrator", "Auditor"])
def test_nobody_changes_them(clock, client_as, unknown, group):
    client, before = client_as(group), list(InboundEvent.objects.values_list())
    for page in ("add/", f"{unknown.pk}/change/", f"{unknown.pk}/delete/"):
        assert client.post(EVENTS + page, {"state": "processed", "post": "yes"}).status_code == 403
    assert list(InboundEvent.objects.values_list()) == before


def test_an_agent_does_not_read_them(clock, client_as, unknown):
    assert client_as("Agent").get(EVENTS).status_code == 403
