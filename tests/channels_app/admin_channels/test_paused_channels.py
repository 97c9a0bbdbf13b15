"""A paused channel in the console: what is said of it, and the button that tries it at once."""

from datetime import timedelta

import pytest
import time_machine
from django_q.brokers import get_broker

from channels_app.models import Channel
from project.access.models import AuditEntry
from tests.support.channels import NOON, make_channel, make_delivery

SAID = "Paused since 12:59:30; next try at 13:01:00. Last error: The receiver answered 503."
PAUSED = {
    "paused_since": NOON - timedelta(seconds=30),
    "paused_until": NOON + timedelta(minutes=1),
    "pause_step": 60,
    "pause_error": "The receiver answered 503.",
}


@pytest.fixture(autouse=True)
def _at_noon(admin):
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def channel(tenant) -> Channel:
    made = make_channel(tenant, "webhook", name="Front door")
    Channel.objects.filter(pk=made.pk).update(**PAUSED)
    return made


def page(client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    text: str = response.content.decode()
    return text


def pauses(channel: Channel) -> tuple:
    channel.refresh_from_db()
    return channel.paused_since, channel.paused_until


def test_its_page_the_list_and_the_first_page_say_why_nothing_is_sent(admin, at, channel):
    for url in (at(channel), "/admin/channels_app/channel/", "/admin/"):
        said = page(admin, url)
        assert SAID in said
        assert "paused</span>" in said


def test_a_channel_that_works_is_not_said_to_be_paused(admin, at, tenant):
    works = make_channel(tenant, "webhook", name="Back door")
    for url in (at(works), "/admin/channels_app/channel/", "/admin/"):
        said = page(admin, url)
        assert "Paused since" not in said
        assert "paused</span>" not in said


def test_another_house_hears_nothing_of_it(client_as, other_tenant, channel):
    theirs = client_as("Administrator", of=other_tenant)
    for url in ("/admin/channels_app/channel/", "/admin/"):
        assert "Front door" not in page(theirs, url)


def test_a_delivery_says_that_it_waits_for_its_channel(admin, channel):
    waits = make_delivery(channel, due_at=NOON)
    later = make_delivery(channel, due_at=NOON + timedelta(minutes=10), attempt_count=4)
    assert "First try waits: the channel is paused." in page(
        admin, f"/admin/channels_app/delivery/{waits.pk}/change/"
    )
    assert "Next try 13:10:00." in page(admin, f"/admin/channels_app/delivery/{later.pk}/change/")
    assert "waits: the channel is paused" in page(admin, "/admin/channels_app/delivery/")


def test_the_button_lets_a_message_leave_at_once(
    admin, at, channel, django_capture_on_commit_callbacks
):
    assert "Try now" in page(admin, at(channel))
    broker = get_broker()
    broker.purge_queue()
    with django_capture_on_commit_callbacks(execute=True):
        response = admin.post(at(channel, "try"), follow=True)
    assert broker.queue_size() == 1
    broker.purge_queue()
    assert "Front door tries one message now." in response.content.decode()
    assert pauses(channel) == (PAUSED["paused_since"], NOON)
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.target_name) == ("channel.try", "Front door")


def test_the_button_comes_too_late_where_the_channel_is_back(admin, at, channel):
    Channel.objects.update(paused_since=None, paused_until=None)
    response = admin.post(at(channel, "try"), follow=True)
    assert "Front door is not paused any more." in response.content.decode()
    assert not AuditEntry.objects.filter(action="channel.try").exists()


@pytest.mark.parametrize("group", ["Auditor", "Composer", "Approver", "Operator"])
def test_who_may_only_look_sees_the_pause_and_has_no_button(client_as, at, channel, group):
    looks = client_as(group)
    said = page(looks, at(channel))
    assert SAID in said
    assert "Try now" not in said
    assert looks.post(at(channel, "try")).status_code == 403
    assert pauses(channel)[1] == PAUSED["paused_until"]


def test_a_channel_is_tried_by_a_press_and_by_its_own_house_only(
    admin, at, channel, client_as, other_tenant
):
    assert admin.get(at(channel, "try")).status_code == 405
    client_as("Administrator", of=other_tenant).post(at(channel, "try"))
    assert pauses(channel)[1] == PAUSED["paused_until"]


def test_changed_settings_and_new_secrets_are_tried_at_once(admin, at, change, channel):
    change(channel, setting_url="https://new.acme.example/in")
    assert pauses(channel) == (PAUSED["paused_since"], NOON)
    Channel.objects.update(paused_until=PAUSED["paused_until"])
    admin.post(at(channel, "rotate"), {"overlap": "24"})
    assert pauses(channel) == (PAUSED["paused_since"], NOON)


# --- the owner ------------------------------------------------------------------------------------


def test_the_owner_is_whoever_makes_the_channel_unless_they_say_otherwise(
    client_as, make_user, other_tenant
):
    stranger = make_user("Administrator", username="stranger", of=other_tenant)
    colleague = make_user("Operator", username="colleague")
    mara = client_as("Administrator", username="mara")
    form = mara.get("/admin/channels_app/channel/add/?kind=chat").context["adminform"].form
    assert form["owner"].value() == int(mara.session["_auth_user_id"])
    offered = {user.username for user in form.fields["owner"].queryset}
    assert {"mara", "colleague"} <= offered
    assert stranger.username not in offered
    given = {"name": "Chat", "lifetime": "4", "max_in_flight": "64", "rate_limit": "0"}
    refused = mara.post(
        "/admin/channels_app/channel/add/?kind=chat", {**given, "owner": stranger.pk}
    )
    assert "valid choice" in refused.content.decode()
    mara.post("/admin/channels_app/channel/add/?kind=chat", {**given, "owner": colleague.pk})
    assert Channel.objects.get(name="Chat").owner == colleague


def test_the_owner_can_be_changed_and_may_leave(change, channel, make_user):
    colleague = make_user("Operator")
    change(channel, owner=colleague.pk)
    channel.refresh_from_db()
    assert channel.owner == colleague
    colleague.delete()
    channel.refresh_from_db()
    assert channel.owner is None


def test_an_owner_of_no_house_stays_when_another_changes_the_channel(change, channel, make_user):
    root = make_user(username="root", is_superuser=True)
    Channel.objects.update(owner=root)
    type(root).objects.filter(pk=root.pk).update(tenant=None)
    change(channel, owner=root.pk, rate_limit="5")
    channel.refresh_from_db()
    assert (channel.owner, channel.rate_limit) == (root, 5)
