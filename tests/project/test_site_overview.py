"""The first page: what goes on, in words, at a bounded cost."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_app.models import Channel, Tally
from notifications.models import Notification
from notifications.models.notification import ORIGIN, Stage


@pytest.fixture
def notification(tenant):
    def make(title, stage, *, of=None, states=None, **fields):
        made = Notification.objects.create(tenant=of or tenant, title=title, stage=stage, **fields)
        if states:
            Tally.objects.create(
                tenant=made.tenant, origin_kind=ORIGIN, origin_id=made.pk, **states
            )
        return made

    return make


def text_of(client) -> str:
    html: str = client.get("/admin/").content.decode()
    return html


def test_what_is_being_sent_shows_how_far_it_is(client_as, notification):
    states = {"delivered": 61_204, "sent": 17_016, "failed": 1_984, "queued": 19_796}
    notification("Planned outage", Stage.SENDING, states=states)
    html = text_of(client_as("Auditor"))
    assert "80,204 of 100,000" in html
    assert "delivered 61,204" in html
    assert '<rect class="bar-part state-delivered" x="0.0" width="612.04" height="1"/>' in html
    assert '<rect class="bar-part state-sent" x="612.04" width="170.16" height="1"/>' in html


def test_nothing_under_way_is_said_in_words(client_as):
    html = text_of(client_as("Auditor"))
    for words in ("Nothing is being sent.", "Nothing waits.", "Nothing is planned."):
        assert words in html
    assert "No notification yet." in html


def test_what_waits_for_approval_is_the_approvers_to_see(client_as, notification):
    notification("Price list", Stage.SUBMITTED, composed_by="mara", submitted_at=timezone.now())
    html = text_of(client_as("Approver"))
    assert "Waiting for you to approve" in html
    assert "Price list" in html


def test_failures_of_the_last_day_are_listed_and_older_ones_are_not(client_as, notification):
    now = timezone.now()
    states = {"sent": 90, "failed": 7, "expired": 3}
    notification("Yesterday", Stage.DONE, started_at=now - timedelta(hours=23), states=states)
    notification("Last week", Stage.DONE, started_at=now - timedelta(days=7), states=states)
    html = text_of(client_as("Operator"))
    assert html.count("10 of 100") == 1


def test_a_channel_at_rest_is_named(client_as, tenant):
    Channel.objects.create(tenant=tenant, name="Night mail", kind="email", is_active=False)
    assert "Night mail" in text_of(client_as("Operator"))


def test_another_tenants_notifications_stay_unseen(client_as, notification, other_tenant):
    for stage in (Stage.SENDING, Stage.SUBMITTED, Stage.SCHEDULED, Stage.DONE):
        notification(f"Secret {stage}", stage, of=other_tenant, due_at=timezone.now())
    assert "Secret" not in text_of(client_as("Administrator"))


def test_those_who_may_not_read_notifications_get_a_page_without_them(client_as, notification):
    notification("Planned outage", Stage.SENDING)
    html = text_of(client_as("Agent"))
    assert "Planned outage" not in html
    assert "Welcome." in html


def test_the_page_costs_the_same_however_much_was_sent(client_as, notification):
    client = client_as("Administrator")
    notification("One", Stage.DONE, states={"sent": 3})
    client.get("/admin/")
    with CaptureQueriesContext(connection) as few:
        client.get("/admin/")
    for number in range(40):
        notification(f"Number {number}", Stage.SENDING, states={"sent": 3, "queued": 1})
    with CaptureQueriesContext(connection) as many:
        client.get("/admin/")
    assert len(many) == len(few)
    assert not [query for query in many if "channels_app_delivery" in query["sql"]]
