"""How far it is: the numbers, the balance, the end, the stop."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_app.models import Delivery, State, Tally
from notifications.expansion import expand_batch
from notifications.models import ORIGIN, Address, Notification, Recipient, Stage
from notifications.progress import BAR, Progress, Sample
from notifications.schedule import start
from notifications.templatetags.progress_words import in_short, per_second
from tests.support.composing import LIST, composed, do, expand_and_send, page_of, shows

NOW = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)


@pytest.fixture
def admin(client_as):
    return client_as("Administrator", username="mara")


def progress(notification: Notification, *, since: Sample | None = None, **counts: int) -> Progress:
    notification.started_at = notification.started_at or NOW
    return Progress(notification, Tally(**counts), NOW + timedelta(seconds=10), since)


def under_way(admin) -> Notification:
    """Started and expanded, with nothing dispatched yet."""
    notification = composed(admin, "send")
    start(notification.pk, timezone.now())
    expand_batch(notification.pk)
    return notification


def live(admin, notification):
    return admin.get(f"{LIST}{notification.pk}/progress/")


def test_at_the_end_everyone_is_counted_and_the_books_balance(admin, tenant):
    Recipient.objects.filter(login="bo@acme.example").get().opt_outs.create(kind="*")
    notification = composed(admin, "send")
    expand_and_send(notification)
    page = admin.get(page_of(notification))
    for text in ("sent 3", "suppressed 1", "<b>4 = 4</b> ✓ balanced", "done"):
        assert text in page.content.decode(), text
    assert 'hx-trigger="every' not in page.content.decode().partition('id="progress"')[2]


def test_the_look_that_finds_the_end_is_the_last_one(admin):
    notification = under_way(admin)
    first = live(admin, notification)
    assert (first.status_code, shows(first, "queued 4")) == (200, True)
    expand_and_send(notification)
    last = live(admin, notification)
    assert last.status_code == 286
    assert "every 1s" not in last.content.decode()
    assert "Stop" not in last.content.decode()


def test_while_people_are_added_it_says_so_and_the_bar_knows_how_many_come(admin):
    notification = under_way(admin)
    assert shows(live(admin, notification), "still adding people")
    notification.refresh_from_db()
    notification.approved_count = 8
    shown = progress(notification, sent=2, queued=2)
    assert [(part.state, part.width) for part in shown.parts] == [("sent", BAR / 4)]
    expand_batch(notification.pk)
    assert "<b>4 = 4</b> ✓ balanced" in live(admin, notification).content.decode()


def test_books_that_do_not_balance_are_shown_as_such(admin):
    notification = under_way(admin)
    expand_batch(notification.pk)
    Tally.objects.filter(origin_kind=ORIGIN, origin_id=notification.pk).update(queued=7)
    assert shows(live(admin, notification), "! not balanced")


def test_nobody_in_the_audience_is_a_send_that_ended(admin):
    Recipient.objects.update(is_active=False)
    notification = composed(admin, "send")
    expand_and_send(notification)
    page = admin.get(page_of(notification))
    assert shows(page, "Nobody was in this audience when it left.")
    assert "<b>0 = 0</b> ✓ balanced" in page.content.decode()


def test_the_parts_fill_the_bar_in_order_and_leave_the_queued_open(admin):
    shown = progress(
        composed(admin),
        delivered=61_204,
        sent=17_016,
        sending=256,
        queued=17_290,
        failed=1_984,
        suppressed=2_250,
    )
    assert [part.state for part in shown.parts] == [
        "delivered",
        "sent",
        "sending",
        "failed",
        "suppressed",
    ]
    for part, following in zip(shown.parts, shown.parts[1:], strict=False):
        assert part.x + part.width == pytest.approx(following.x, abs=0.02)
    last = shown.parts[-1]
    assert last.x + last.width == pytest.approx(BAR * (1 - 0.1729), abs=0.02)


def test_the_rate_follows_what_was_settled_between_two_looks(admin):
    notification = composed(admin)
    before = Sample(NOW.timestamp() + 9, 1000, 500.0)
    shown = progress(notification, since=before, sent=1800, failed=200, suppressed=999, queued=600)
    assert shown.rate == pytest.approx(500 + 0.4 * (1000 - 500))
    assert shown.left == timedelta(seconds=600 / shown.rate)


def test_without_an_earlier_look_the_rate_is_the_average(admin):
    assert progress(composed(admin), sent=500, queued=1).rate == 50
    old = Sample(NOW.timestamp() - 3600, 0, 9.0)
    assert progress(composed(admin), since=old, sent=500, queued=1).rate == 50


@pytest.mark.parametrize(
    "text",
    ["", "x", "1_2", "nan_1_1", "1_nan_1", "inf_1_1", "1_1_inf", "1_1_nan", "1" * 400 + "_1_1"],
)
def test_a_sample_that_is_none_is_left_out(admin, text):
    notification = under_way(admin)
    assert admin.get(f"{LIST}{notification.pk}/progress/", {"since": text}).status_code == 200


def test_those_that_wait_for_their_next_try_are_counted(admin):
    notification = under_way(admin)
    few = Delivery.objects.of_origin(ORIGIN, notification.pk)[:2]
    Delivery.objects.filter(pk__in=[row.pk for row in few]).update(attempt_count=1)
    other = under_way(admin)
    Delivery.objects.of_origin(ORIGIN, other.pk).update(attempt_count=1)
    assert Progress.of(notification, timezone.now()).retrying == 2


def test_a_look_costs_few_queries_however_many_are_on_their_way(
    admin, django_assert_max_num_queries
):
    notification = under_way(admin)
    expand_batch(notification.pk)
    live(admin, notification)
    with django_assert_max_num_queries(9):
        live(admin, notification)


def test_stopping_leaves_nothing_queued_and_the_books_balanced(admin):
    notification = under_way(admin)
    expand_batch(notification.pk)
    assert shows(do(admin, notification, "stop"), "Stopped. Nothing more of it leaves.")
    expand_and_send(notification)
    states = set(
        Delivery.objects.of_origin(ORIGIN, notification.pk).values_list("state", flat=True)
    )
    assert states == {State.CANCELLED}
    page = admin.get(page_of(notification))
    assert shows(page, "cancelled 4")
    assert "<b>4 = 4</b> ✓ balanced" in page.content.decode()


def test_stopping_what_waits_means_that_it_never_leaves(admin):
    notification = composed(admin, "send", when="later", send_at="2100-01-01T09:00")
    assert shows(admin.get(page_of(notification)), "Stop it")
    do(admin, notification, "stop")
    expand_and_send(notification)
    notification.refresh_from_db()
    assert notification.stage == Stage.CANCELLED
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e999"])
def test_an_earlier_look_without_numbers_is_none(admin, number):
    notification = under_way(admin)
    now = timezone.now().timestamp()
    for since in (f"{now - 2}_0_{number}", f"{number}_0_1", f"{now - 2}_{number}_1"):
        response = admin.get(f"{LIST}{notification.pk}/progress/", {"since": since})
        assert response.status_code == 200
        assert "nan" not in response.context["progress"].sample.__str__()


@pytest.mark.parametrize("action", ["save", "submit"])
def test_what_was_not_released_is_not_stopped(client_as, admin, action):
    notification = composed(admin, action)
    before = notification.stage
    response = do(client_as("Operator"), notification, "stop")
    assert shows(response, "This was not released yet, so there is nothing to stop.")
    notification.refresh_from_db()
    assert notification.stage == before


def test_people_far_apart_are_looked_up_by_themselves(admin, tenant, email):
    far = Recipient.objects.create(
        tenant=tenant, login="zoe@acme.example", pk=Recipient.objects.latest("pk").pk + 100_000
    )
    Address.objects.create(recipient=far, kind="email", value="zoe@mail.example")
    both = "chidi@acme.example, zoe@acme.example"
    notification = composed(admin, "send", everyone=None, contacts=both, channel=email.pk)
    start(notification.pk, timezone.now())
    with CaptureQueriesContext(connection) as queries:
        expand_batch(notification.pk)
    states = Delivery.objects.values_list("recipient", "state", "address")
    assert set(states) == {
        ("chidi@acme.example", "suppressed", "x@acme.example"),
        ("zoe@acme.example", "queued", "zoe@mail.example"),
    }
    read = [q["sql"] for q in queries if 'FROM "notifications_address"' in q["sql"]]
    assert len(read) == 1
    assert f" IN ({Recipient.objects.get(login='chidi@acme.example').pk}, {far.pk})" in read[0]


def test_the_page_shows_one_message_as_it_was_sent_or_anothers(admin):
    notification = composed(admin, "send", text="Hello @recipient.first_name")
    expand_and_send(notification)
    Recipient.objects.filter(login="dora@acme.example").update(name="Renamed")
    assert shows(admin.get(page_of(notification)), "Hello Ana")
    assert shows(admin.get(page_of(notification) + "?as=dora@acme.example"), "Hello Dora")


def test_the_page_leads_to_its_deliveries_in_the_log(admin):
    notification = composed(admin, "send")
    expand_and_send(notification)
    assert shows(
        admin.get(page_of(notification)),
        f"/admin/channels_app/delivery/?notification={notification.pk}",
    )
    assert (
        admin.get(f"/admin/channels_app/delivery/?notification={notification.pk}").status_code
        == 200
    )


@pytest.mark.parametrize(
    ("rate", "said"), [(5120.4, "5,120/s"), (1, "1/s"), (0.5, "30/min"), (0.001, "0/s"), (0, "0/s")]
)
def test_a_rate_reads_by_the_second_or_by_the_minute(rate, said):
    assert per_second(rate) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "under 1 s"),
        (4, "4 s"),
        (130, "2 min 10 s"),
        (700, "11 min"),
        (3600, "1 h"),
        (11_100, "3 h 5 min"),
    ],
)
def test_a_length_of_time_reads_in_short(seconds, said):
    assert in_short(timedelta(seconds=seconds)) == said
