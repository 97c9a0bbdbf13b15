import csv
import io

import pytest
from openpyxl import load_workbook

from project.access.models import AuditEntry

EXPORT = "/admin/notifications/recipient/export/"

pytestmark = pytest.mark.django_db


def read(response) -> list[dict[str, str]]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_an_export_holds_every_column(admin_client, make_person):
    make_person(
        "ana",
        name="Ana Ruiz",
        locale="es",
        time_zone="Europe/Madrid",
        roles=[-4, -1],
        addresses={"email": "ana@acme.example", "luma": "ana.l"},
        opt_outs={"email", "chat"},
        is_active=False,
    )
    [row] = read(admin_client.post(EXPORT, {"format": "0"}))
    assert row == {
        "login": "ana",
        "name": "Ana Ruiz",
        "locale": "es",
        "time_zone": "Europe/Madrid",
        "roles": "-1;-4",
        "active": "false",
        "email": "ana@acme.example",
        "chat": "",
        "webhook": "",
        "luma": "ana.l",
        "alvaria": "",
        "opt_outs": "chat;email",
    }


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\uff1d"])
def test_no_exported_text_begins_like_a_formula(admin_client, make_person, sign):
    make_person(f"{sign}login", name=f"{sign}cmd|'/C calc'!A0", addresses={"chat": f"{sign}1"})
    [row] = read(admin_client.post(EXPORT, {"format": "0"}))
    assert row["login"] == f"'{sign}login"
    assert row["name"].startswith(f"'{sign}")
    assert row["chat"] == f"'{sign}1"


@pytest.mark.parametrize("kind", ["0", "1"])
def test_what_is_exported_comes_in_again_unchanged(admin_client, check, make_person, kind):
    make_person("=ana", name="'=quoted", roles=[-1], addresses={"email": "a@b.example"})
    make_person("-bo", name='He said "hi", twice', roles=[-4, -5], opt_outs={"*"})
    make_person("0042", name="Zoë 李", locale="zh-Hans", time_zone="Asia/Shanghai")
    exported = b"".join(admin_client.post(EXPORT, {"format": kind}).streaming_content)
    report = check(exported).context["result"].report
    assert dict(report.counts) == {"unchanged": 3}


def test_a_workbook_holds_texts_and_no_formulas(admin_client, make_person):
    make_person("=1+1", roles=[-1])
    response = admin_client.post(EXPORT, {"format": "1"})
    assert response["Content-Disposition"].endswith('.xlsx"')
    sheet = load_workbook(io.BytesIO(b"".join(response.streaming_content))).active
    assert [cell.data_type for row in sheet.iter_rows() for cell in row if cell.value] == ["s"] * 15
    assert sheet["A2"].value == "'=1+1"
    assert sheet["E2"].value == "-1"


def test_the_export_follows_the_lists_search_and_filters(admin_client, make_person):
    make_person("ana", roles=[-1])
    make_person("bo", roles=[-4])
    make_person("andy", roles=[-4])
    page = admin_client.get(f"{EXPORT}?role=-4&q=an")
    assert page.context["count"] == 1
    rows = read(admin_client.post(f"{EXPORT}?role=-4&q=an", {"format": "0"}))
    assert [row["login"] for row in rows] == ["andy"]


def test_an_export_never_holds_another_tenants_people(admin_client, make_person, other_tenant):
    make_person("ana")
    make_person("theirs", of=other_tenant)
    rows = read(admin_client.post(EXPORT, {"format": "0"}))
    assert [row["login"] for row in rows] == ["ana"]


def test_an_export_is_written_to_the_audit_trail(admin_client, make_person):
    make_person("ana")
    admin_client.post(EXPORT, {"format": "1"})
    entry = AuditEntry.objects.get(action="recipient.export")
    assert entry.details == {"format": "XLSX", "people": 1}


@pytest.mark.parametrize("kind", ["", "2", "-1", "yaml", "0\0"])
def test_a_made_up_export_format_is_refused(admin_client, kind):
    page = admin_client.post(EXPORT, {"format": kind})
    assert page.status_code == 200
    assert page.context["form"].errors["format"]
    assert not AuditEntry.objects.filter(action="recipient.export").exists()


def test_single_people_cannot_be_picked_by_id(admin_client, make_person, other_tenant):
    theirs = make_person("theirs", of=other_tenant)
    page = admin_client.post(EXPORT, {"format": "0", "export_items": str(theirs.pk)})
    assert page.context["form"].errors["export_items"]


def test_too_many_people_for_a_workbook_are_pointed_to_csv(admin_client, make_person, monkeypatch):
    monkeypatch.setattr("notifications.admin.people.transfer.XLSX_ROWS_MAX", 1)
    make_person("ana")
    make_person("bo")
    page = admin_client.post(EXPORT, {"format": "1"})
    assert b"XLSX takes 1 people at most. Choose CSV." in page.content


@pytest.mark.parametrize(
    ("group", "status"),
    [("Auditor", 200), ("Composer", 403), ("Approver", 403), ("Operator", 403), ("Agent", 403)],
)
def test_auditors_may_export_and_others_may_not(client_as, group, status):
    client = client_as(group)
    assert client.get(EXPORT).status_code == status
    assert client.post(EXPORT, {"format": "0"}).status_code == status
