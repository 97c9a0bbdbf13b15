"""The work types' pages: what an Administrator sets, and what is refused in words."""

import re
import threading
from datetime import time
from html import unescape

import pytest
from django.db import connection
from django.test import Client

from channels_app.models import OpeningHours, WorkType
from project.access.models import AuditEntry

WORK_TYPES = "/admin/channels_app/worktype/"
MON, TUE = "0", "1"


def page_of(kind: WorkType) -> str:
    return f"{WORK_TYPES}{kind.pk}/change/"


def fields(*spans: tuple[str, str, str], kind: WorkType | None = None, **values) -> dict[str, str]:
    """What the form sends: ``spans`` are weekday, from, to of new rows; those there are kept."""
    rows = list(kind.hours.all()) if kind else []
    data = {
        "name": "Billing",
        "code": "32",
        "is_active": "on",
        "offer_seconds": "30",
        "hours-TOTAL_FORMS": str(len(rows) + len(spans)),
        "hours-INITIAL_FORMS": str(len(rows)),
        **values,
    }
    for number, row in enumerate(rows):
        data |= {
            f"hours-{number}-id": str(row.pk),
            f"hours-{number}-weekday": str(row.weekday),
            f"hours-{number}-opens": f"{row.opens:%H:%M}",
            f"hours-{number}-closes": f"{row.closes:%H:%M}",
        }
    for number, (day, opens, closes) in enumerate(spans, len(rows)):
        data |= {
            f"hours-{number}-weekday": day,
            f"hours-{number}-opens": opens,
            f"hours-{number}-closes": closes,
        }
    return {name: value for name, value in data.items() if value is not None}


def text(response) -> str:
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))
    return unescape(plain)


def actions() -> list[tuple[str, dict]]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", "details"))


def test_a_work_type_is_made_with_its_hours(admin, tenant):
    response = admin.post(
        f"{WORK_TYPES}add/", fields((MON, "08:00", "12:00"), (MON, "12:00", "00:00"))
    )
    assert response.status_code == 302
    kind = WorkType.objects.get()
    assert (kind.tenant, kind.name, kind.code, kind.offer_seconds) == (tenant, "Billing", "32", 30)
    assert [str(row) for row in kind.hours.all()] == [
        "Monday 08:00 to 12:00",
        "Monday 12:00 to 24:00",
    ]
    assert actions() == [
        ("worktype.add", {"code": "32", "default": False}),
        ("worktype.hours", {"hours": ["Monday 08:00 to 12:00", "Monday 12:00 to 24:00"]}),
    ]


def test_a_change_is_in_the_audit_trail_with_its_fields(admin, billing):
    admin.post(page_of(billing), fields(name="Bills", offer_seconds="45"))
    billing.refresh_from_db()
    assert (billing.name, billing.offer_seconds) == ("Bills", 45)
    assert actions() == [("worktype.change", {"fields": ["name", "offer_seconds"]})]


def test_a_form_that_changes_nothing_writes_nothing(admin, billing):
    OpeningHours.objects.create(work_type=billing, weekday=0, opens=time(8), closes=time(9))
    admin.post(page_of(billing), fields(kind=billing))
    assert actions() == []
    assert billing.hours.count() == 1


def test_hours_are_taken_away(admin, billing):
    OpeningHours.objects.create(work_type=billing, weekday=0, opens=time(8), closes=time(9))
    admin.post(page_of(billing), fields(kind=billing) | {"hours-0-DELETE": "on"})
    assert not billing.hours.exists()
    assert actions() == [("worktype.hours", {"hours": []})]


@pytest.mark.parametrize(
    ("spans", "words"),
    [
        ([("08:00", "12:00"), ("11:59", "14:00")], "08:00 to 12:00 and 11:59 to 14:00 overlap."),
        ([("20:00", "00:00"), ("23:00", "23:30")], "20:00 to 24:00 and 23:00 to 23:30 overlap."),
        ([("09:00", "10:00"), ("09:00", "10:00")], "09:00 to 10:00 and 09:00 to 10:00 overlap."),
        ([("00:00", "00:00"), ("08:00", "09:00")], "00:00 to 24:00 and 08:00 to 09:00 overlap."),
        ([("12:00", "08:00")], "It must close after it opens."),
        ([("08:00", "08:00")], "It must close after it opens."),
        ([("25:00", "26:00")], "Enter a time such as 08:00."),
        ([("24:00", "02:00")], "Enter a time such as 08:00."),
        ([("24:00", "24:00")], "Enter a time such as 08:00."),
    ],
)
def test_hours_that_make_no_sense_are_refused_in_words(admin, billing, spans, words):
    response = admin.post(page_of(billing), fields(*((MON, *span) for span in spans)))
    assert response.status_code == 200
    assert words in text(response)
    assert not billing.hours.exists()
    assert actions() == []


def test_the_end_of_the_day_may_be_written_as_24_00(admin, billing):
    admin.post(page_of(billing), fields((MON, "20:00", "24:00")))
    span = billing.hours.get()
    assert span.closes == time(0)
    page = admin.get(page_of(billing)).content.decode()
    assert re.search(r'<input[^>]* name="hours-0-closes" value="24:00"', page)
    assert admin.post(page_of(billing), fields(kind=billing)).status_code == 302
    assert billing.hours.get() == span


def test_an_overlap_with_a_span_that_goes_is_none(admin, billing):
    OpeningHours.objects.create(work_type=billing, weekday=0, opens=time(8), closes=time(12))
    sent = fields((MON, "10:00", "14:00"), kind=billing) | {"hours-0-DELETE": "on"}
    assert admin.post(page_of(billing), sent).status_code == 302
    assert [str(row) for row in billing.hours.all()] == ["Monday 10:00 to 14:00"]


def test_the_same_span_on_two_days_is_no_overlap(admin, billing):
    spans = [(MON, "08:00", "12:00"), (TUE, "08:00", "12:00")]
    assert admin.post(page_of(billing), fields(*spans)).status_code == 302
    assert billing.hours.count() == 2


def test_a_new_default_takes_the_old_ones_place(admin, billing, outages):
    WorkType.objects.filter(pk=billing.pk).update(is_default=True)
    sent = fields(name="Outages", code="33", is_default="on")
    assert admin.post(page_of(outages), sent).status_code == 302
    defaults = WorkType.objects.filter(is_default=True)
    assert [kind.name for kind in defaults] == ["Outages"]


def test_what_takes_no_sessions_is_no_default(admin, billing):
    response = admin.post(page_of(billing), fields(is_active=None, is_default="on"))
    assert "What takes no new sessions can't be the default." in text(response)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"code": "33"}, "A work type with this ID exists."),
        ({"name": "Outages"}, "A work type with this name exists."),
        ({"code": "3 3"}, "Letters, digits"),
        ({"offer_seconds": "4"}, "greater than or equal to 5"),
        ({"offer_seconds": "x" * 5000}, "Enter a whole number."),
        ({"name": ""}, "This field is required."),
    ],
)
def test_what_does_not_fit_is_refused_in_words(admin, billing, outages, values, words):
    assert words in text(admin.post(page_of(billing), fields(**values)))


def at_once(client: Client, *posts: tuple[str, dict[str, str]]) -> list:
    """The answers to these posts, sent at the same moment."""
    start, answers = threading.Barrier(len(posts)), []

    def post(path: str, data: dict[str, str]) -> None:
        try:
            own = Client()
            own.cookies.update(client.cookies)
            start.wait(10)
            answers.append(own.post(path, data))
        finally:
            connection.close()

    threads = [threading.Thread(target=post, args=each) for each in posts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return answers


@pytest.mark.django_db(transaction=True)
def test_two_who_add_the_same_id_at_once_get_one_and_one_message(client_as):
    client = client_as("Administrator")
    answers = at_once(client, *[(f"{WORK_TYPES}add/", fields(name=name)) for name in ("A", "B")])
    assert sorted(answer.status_code for answer in answers) == [200, 302]
    [refused] = [answer for answer in answers if answer.status_code == 200]
    assert "A work type with this ID exists." in text(refused)
    assert WorkType.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_who_make_a_default_at_once_leave_one(client_as, billing, outages):
    sent = [
        (page_of(billing), fields(is_default="on")),
        (page_of(outages), fields(name="Outages", code="33", is_default="on")),
    ]
    answers = at_once(client_as("Administrator"), *sent)
    assert [answer.status_code for answer in answers] == [302, 302]
    assert WorkType.objects.filter(is_default=True).count() == 1


def test_whether_it_is_open_stands_on_the_list_and_on_its_page(admin, billing, outages):
    OpeningHours.objects.create(work_type=billing, weekday=0, opens=time(8), closes=time(12, 30))
    OpeningHours.objects.create(work_type=outages, weekday=1, opens=time(8), closes=time(9))
    said = text(admin.get(WORK_TYPES))  # Monday, 12:00 in Madrid
    assert "open now" in said
    assert "closed, opens Tue 08:00" in said
    assert "open now" in text(admin.get(page_of(billing)))
    assert "closed, opens Tue 08:00 Times in Europe/Madrid" in text(admin.get(page_of(outages)))


def test_a_week_ahead_is_told_with_its_date(admin, billing, clock):
    OpeningHours.objects.create(work_type=billing, weekday=0, opens=time(8), closes=time(9))
    assert "closed, opens Mon 30 Nov 08:00" in text(admin.get(WORK_TYPES))


def test_without_hours_it_is_open_at_all_times(admin, billing):
    assert "open now, at all times" in text(admin.get(WORK_TYPES))


def test_who_answers_it_is_shown(admin, billing, make_agent):
    make_agent("Mara", billing)
    assert "Mara" in text(admin.get(page_of(billing)))
    assert "Mara" in text(admin.get(WORK_TYPES))


def test_one_that_sessions_were_about_stays_and_says_so(admin, begin, billing):
    begin()
    for response in (
        admin.get(f"{WORK_TYPES}{billing.pk}/delete/", follow=True),
        admin.post(f"{WORK_TYPES}{billing.pk}/delete/", {"post": "yes"}, follow=True),
    ):
        assert (
            "Billing can't be deleted. Sessions were about it, and they are kept. "
            "Make it inactive instead." in text(response)
        )
    assert WorkType.objects.filter(pk=billing.pk).exists()


def test_an_unused_one_is_deleted_with_its_hours(admin, billing, mara):
    OpeningHours.objects.create(work_type=billing, weekday=0, opens=time(8), closes=time(9))
    page = admin.get(f"{WORK_TYPES}{billing.pk}/delete/")
    assert page.status_code == 200
    admin.post(f"{WORK_TYPES}{billing.pk}/delete/", {"post": "yes"})
    assert not WorkType.objects.filter(pk=billing.pk).exists()
    assert actions() == [("worktype.delete", {})]


def test_the_list_costs_the_same_however_many_there_are(
    admin, tenant, make_agent, django_assert_max_num_queries
):
    kinds = [
        WorkType.objects.create(tenant=tenant, code=str(number), name=f"Kind {number}")
        for number in range(30)
    ]
    for kind in kinds:
        OpeningHours.objects.create(work_type=kind, weekday=0, opens=time(8), closes=time(9))
    make_agent("Mara", *kinds)
    with django_assert_max_num_queries(10):
        admin.get(WORK_TYPES)


@pytest.mark.parametrize("group", ["Auditor", "Agent", "Operator"])
def test_others_look_and_change_nothing(clock, client_as, billing, group):
    client = client_as(group)
    page = client.get(page_of(billing))
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    before = list(WorkType.objects.values_list())
    for path in (page_of(billing), f"{WORK_TYPES}add/", f"{WORK_TYPES}{billing.pk}/delete/"):
        response = client.post(path, fields((MON, "08:00", "12:00"), name="Mine") | {"post": "yes"})
        assert response.status_code == 403
    assert list(WorkType.objects.values_list()) == before
    assert actions() == []


def test_another_tenants_work_type_is_not_found(admin, theirs):
    for path in (page_of(theirs.kind), f"{WORK_TYPES}{theirs.kind.pk}/delete/"):
        response = admin.post(path, fields(name="Mine") | {"post": "yes"})
        assert response.status_code in (302, 404)
        assert response.headers.get("Location", "/admin/") == "/admin/"
    theirs.kind.refresh_from_db()
    assert theirs.kind.name == "Secrets"
    assert "Secrets" not in text(admin.get(WORK_TYPES))
