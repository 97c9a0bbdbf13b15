"""The list of all notifications."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from notifications.models import Notification
from tests.support.composing import LIST, composed, expand_and_send, shows


@pytest.fixture
def admin(client_as):
    return client_as("Administrator", username="mara")


def queries(client, url: str = LIST) -> int:
    with CaptureQueriesContext(connection) as captured:
        client.get(url)
    return len(captured)


def test_each_line_says_who_what_how_and_how_many(admin):
    sent = composed(admin, "send", everyone=None, roles=["-4"], title="Water off")
    expand_and_send(sent)
    composed(admin, title="Not yet", everyone=None, contacts="ana@acme.example")
    page = admin.get(LIST)
    for text in (
        "Water off",
        "done",
        "Role-4 (-4)",
        "Last used",
        "mara",
        "Not yet",
        "draft",
        "ana@acme.example",
    ):
        assert shows(page, text), text
    assert '<td class="field-people">2</td>' in page.content.decode()


def test_more_lines_cost_no_more_queries(admin, chat):
    composed(admin, "send", everyone=None, roles=["-4"], channel=chat.pk)
    admin.get(LIST)
    few = queries(admin)
    for number in range(12):
        row = composed(
            admin, "send", everyone=None, roles=["-2"], title=f"No {number}", channel=chat.pk
        )
        expand_and_send(row)
    assert queries(admin) == few


def test_stages_part_the_list(admin):
    composed(admin, title="A draft")
    composed(admin, "send", title="Leaving", when="later", send_at="2100-01-01T09:00")
    drafts = admin.get(LIST, {"stage__exact": "draft"})
    assert shows(drafts, "A draft")
    assert not shows(drafts, "Leaving")


def test_pages_follow_each_other_by_key(admin):
    composed(admin)
    values = Notification.objects.values().get()
    row = {name: value for name, value in values.items() if name != "id"}
    Notification.objects.bulk_create(
        Notification(**{**row, "title": f"Row {number:03}", "key": ""}) for number in range(120)
    )
    seen, url = [], LIST
    while url:
        page = admin.get(url)
        seen += [each.pk for each in page.context["cl"].result_list]
        older = page.context["cl"].older
        url = LIST + older if older else ""
    assert seen == list(Notification.objects.order_by("-pk").values_list("pk", flat=True))


@pytest.mark.parametrize(
    "query", ["?before=x", "?before=99999999999999999999", "?q=%00", "?stage__exact=nope"]
)
def test_a_query_that_means_nothing_breaks_nothing(admin, query):
    composed(admin)
    assert admin.get(LIST + query, follow=True).status_code == 200


@pytest.mark.parametrize("name", ["channel", "template", "series", "channel__in", "tenant__exact"])
@pytest.mark.parametrize("key", ["1", "9" * 19, "-" + "9" * 19])
def test_the_list_is_not_narrowed_by_what_it_does_not_offer(admin, name, key):
    composed(admin)
    assert admin.get(LIST, {name: key}).status_code == 400
