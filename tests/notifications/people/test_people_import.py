import io
import os
import time
from datetime import UTC, datetime
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from notifications.models import Address, Recipient, Role
from project.access.models import AuditEntry

IMPORT = "/admin/notifications/recipient/import/"
CONFIRM = "/admin/notifications/recipient/process_import/"

FAR_ROW = b'<row r="99999999999"><c r="ZZZ99999999999"><v>1</v></c></row></sheetData>'

pytestmark = pytest.mark.django_db


def test_a_preview_says_what_would_happen_and_changes_nothing(check, make_person):
    make_person("ana", name="Ana")
    make_person("bo", name="Bo")
    page = check("login,name\nana,Ana\nbo,Bo Chen\nchidi,Chidi\n")
    report = page.context["result"].report
    assert dict(report.counts) == {"unchanged": 1, "changed": 1, "new": 1}
    assert [(o.row.login, o.effect, o.changes) for o in report.outcomes] == [
        ("ana", "unchanged", ()),
        ("bo", "changed", ("name",)),
        ("chidi", "new", ("name",)),
    ]
    assert Recipient.objects.get(login="bo").name == "Bo"
    assert not Recipient.objects.filter(login="chidi").exists()


def test_a_confirmed_import_fills_every_column(take_in, tenant):
    take_in(
        "login,name,locale,time_zone,roles,active,email,chat,webhook,luma,opt_outs\n"
        "ana,Ana Ruiz,es_ES,Europe/Madrid,-4; -1,no,ana@acme.example,ana-chat,hook-7,ana.l,email\n"
    )
    ana = tenant.recipients.get(login="ana")
    assert (ana.name, ana.locale, ana.time_zone) == ("Ana Ruiz", "es-ES", "Europe/Madrid")
    assert ana.is_active is False
    assert {role.code for role in ana.roles.all()} == {-1, -4}
    assert dict(ana.addresses.values_list("kind", "value")) == {
        "email": "ana@acme.example",
        "chat": "ana-chat",
        "webhook": "hook-7",
        "luma": "ana.l",
    }
    assert [out.kind for out in ana.opt_outs.all()] == ["email"]


def test_people_are_found_by_login_in_any_case(take_in, make_person, tenant):
    ana = make_person("Ana@Acme.example", name="Ana")
    take_in("login,name\nANA@acme.EXAMPLE,Ana Ruiz\n")
    ana.refresh_from_db()
    assert (ana.login, ana.name) == ("Ana@Acme.example", "Ana Ruiz")
    assert tenant.recipients.count() == 1


def test_a_login_with_capitals_beyond_ascii_is_found_again(take_in, tenant):
    take_in("login,name\nÄnne@Acme,one\n")
    take_in("login,name\nÄnne@Acme,two\n")
    assert [person.name for person in tenant.recipients.all()] == ["two"]


def test_a_column_left_out_changes_nothing_and_an_empty_cell_takes_away(take_in, make_person):
    ana = make_person(
        "ana", name="Ana", roles=[-4], addresses={"email": "a@b.example", "chat": "a"}, opt_outs="*"
    )
    take_in("login,roles,email\nana,,\n")
    ana.refresh_from_db()
    assert ana.name == "Ana"
    assert ana.roles.count() == 0
    assert [address.kind for address in ana.addresses.all()] == ["chat"]
    assert ana.opt_outs.count() == 1


def test_another_tenants_person_of_the_same_login_is_never_touched(
    take_in, make_person, tenant, other_tenant
):
    theirs = make_person("ana", of=other_tenant, name="Theirs", addresses={"email": "x@y.example"})
    take_in("login,name,email\nana,Ours,ours@acme.example\n")
    theirs.refresh_from_db()
    assert theirs.name == "Theirs"
    assert theirs.addresses.get().value == "x@y.example"
    assert tenant.recipients.get().name == "Ours"


def test_one_bad_row_keeps_the_whole_file_out(check, problems):
    page = check("login,email\nana,ana@acme.example\nbo,not an address\n")
    assert problems(page) == ["Line 3, email: Enter a valid email address."]
    assert "confirm_form" not in page.context
    assert Recipient.objects.count() == 0


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (",Ana,,,,,", "Line 2, login: A login is needed."),
        ("0,Ana,,,,,", "Line 2, login: 0 means everyone and can't be a login."),
        (
            '"a,b",Ana,,,,,',
            "Line 2, login: A login can't hold a comma: commas part several logins.",
        ),
        ("a" * 255 + ",,,,,,", "Line 2, login: It has 255 characters; the most is 254."),
        ("ana," + "x" * 151 + ",,,,,", "Line 2, name: It has 151 characters; the most is 150."),
        (
            'ana,"two\nlines",,,,,',
            "Line 2, name: It holds a line break or another control character.",
        ),
        (
            "ana,,klingon!,,,,",
            "Line 2, locale: “klingon!” is not a language tag such as en or de-AT.",
        ),
        ("ana,,,Mars/Base,,,", "Line 2, time_zone: “Mars/Base” is not a time zone."),
        ("ana,,,../../etc/passwd,,,", "Line 2, time_zone: “../../etc/passwd” is not a time zone."),
        ("ana,,,,99,,", "Line 2, roles: There is no role 99."),
        ("ana,,,,77,,", "Line 2, roles: There is no role 77."),  # another tenant's
        ("ana,,,,boss,,", "Line 2, roles: “boss” is not a role's code such as -4."),
        ("ana,,,,,perhaps,", "Line 2, active: “perhaps” is neither true nor false."),
        (
            "ana,,,,,,pigeon",
            "Line 2, opt_outs: “pigeon” is not one of chat, email, webhook, luma, alvaria, *.",
        ),
        ("ana,,,", "Line 2: It has 4 cells, the first line has 7; is it cut off?"),
        ("ana,,,,,,,more", "Line 2: It has 8 cells, the first line has 7."),
    ],
)
def test_a_bad_cell_is_named_with_line_and_column(check, problems, row, problem):
    page = check(f"login,name,locale,time_zone,roles,active,opt_outs\n{row}\n")
    assert problems(page) == [problem]


def test_luma_addresses_that_would_reach_others_are_refused(check, problems):
    page = check('login,luma\nana,0\nbo,"a,b"\n')
    assert [text.split(":")[0] for text in problems(page)] == ["Line 2, luma", "Line 3, luma"]


def test_a_login_repeated_in_the_file_is_an_error(check, problems):
    page = check("login\nana\nbo\nANA\n")
    assert problems(page) == ["Line 4, login: It stands in line 2 already."]


def test_a_line_number_counts_the_lines_of_the_file(check, problems):
    page = check('login,name\n\n"ana","Ana"\n,Nobody\n')
    assert problems(page) == ["Line 4, login: A login is needed."]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "The submitted file is empty."),
        (b"\xef\xbb\xbf", "The file is empty."),
        (b"login,name\n", "The file names its columns, but nobody stands below them."),
        (
            b"name,email\nAna,a@b.example\n",
            "The first line must name the columns, login among them.",
        ),
        (b"login,e-mail address\nana,x\n", "The first line names a column “e_mail_address”."),
        (b"login,name,name\nana,x,y\n", "The first line names the column name twice."),
        (b"login,,name\nana,x,y\n", "Column 2 has no name in the first line."),
        ("login,name\nana,Ana\n".encode("utf-16"), "The file is in UTF-16."),
        ("login,name\nana,Ana\n".encode("utf-16-le"), "Line 1 holds a NUL character."),
        ("login,name\nana,Ana\nzoe,Zoë\n".encode("latin-1"), "Line 3 is not UTF-8;"),
        (b"login,name\nana,A\0na\n", "Line 2 holds a NUL character."),
        (b'login,name\nana,"Ana\n', "The CSV breaks at line 2: unexpected end of data."),
        (b'login,name\nana,"A"na\n', "The CSV breaks at line 2:"),
        (
            b"login,name\nana," + b"x" * 140_000 + b"\n",
            "The CSV breaks at line 2: field larger than",
        ),
        (b"login,name\nana," + b"x" * 1_100_000 + b"\n", "Line 2 is longer than 1,000,000 bytes."),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "Line 1 is not UTF-8;"),
        (b"- login: ana\n  name: Ana\n", "The first line names a column “_login:_ana”."),
        (b'[{"login": "ana"}]', "The first line names a column"),
        (b"PK\x03\x04 but no more than that", "This is no XLSX file, or a damaged one."),
    ],
)
def test_a_file_that_is_no_list_gets_a_sentence(check, problems, content, problem):
    page = check(content)
    assert page.status_code == 200
    assert [text.startswith(problem) for text in problems(page)] == [True], problems(page)
    assert Recipient.objects.count() == 0


def test_a_file_of_ten_megabytes_is_pointed_to_the_command(check, problems):
    [problem] = problems(check(b"login,name\n" + b"x" * 10 * 1024 * 1024))
    assert problem == (
        "The file has 10.0 MB; the most is 5 MB. "
        "Longer lists go in by the command import_recipients."
    )


def test_a_file_of_too_many_rows_is_refused(check, problems, monkeypatch):
    monkeypatch.setattr("notifications.resources.ROWS_MAX", 2)
    assert problems(check("login\na\nb\nc\n")) == ["The file has more than 2 rows."]


def test_without_a_file_the_form_asks_for_one(admin_client):
    page = admin_client.post(IMPORT, {"format": "0"})
    assert page.context["form"].errors == {"import_file": ["This field is required."]}


@pytest.mark.parametrize("head", ["login;name;roles", "login\tname\troles", "LOGIN, Name ,Roles"])
def test_the_delimiter_and_the_headers_spelling_are_free(take_in, tenant, head):
    sign = next(sign for sign in ";\t," if sign in head)
    take_in(f"{head}\r\n" + sign.join(["ana", "Ana", '"-4;-1"']) + "\r\n")
    assert tenant.recipients.get(login="ana", name="Ana").roles.count() == 2


def test_a_workbook_is_read_like_a_csv(take_in, xlsx, tenant):
    data = xlsx(
        ["login", "name", "roles", "active", "email"],
        ["ana", "Ana", -4, True, "ana@acme.example"],
        [4711, None, "-4;-1", "no"],
    )
    take_in(data, "people.xlsx")
    ana, number = tenant.recipients.get(login="ana"), tenant.recipients.get(login="4711")
    assert [role.code for role in ana.roles.all()] == [-4]
    assert number.is_active is False
    assert number.roles.count() == 2


def test_a_workbooks_formulas_and_dates_are_refused_by_cell(check, problems, xlsx):
    data = xlsx(
        ["login", "name"],
        ["ana", '=HYPERLINK("http://evil.example")'],
        ["bo", datetime(2026, 3, 1, tzinfo=UTC).replace(tzinfo=None)],
    )
    assert problems(check(data, "people.xlsx")) == [
        "Line 2, name: The cell holds a formula; put its value there instead.",
        "Line 3, name: The spreadsheet took this for a date; format the column as text.",
    ]


def test_a_workbooks_cell_without_a_column_name_is_refused(check, problems, xlsx):
    data = xlsx(["login", "name"], ["ana", "Ana", "more"], [None, None, None], ["bo"])
    assert problems(check(data)) == ["Line 2: It has 3 cells, the first line has 2."]


def test_a_workbook_with_a_row_at_the_end_of_the_world_is_read(take_in, xlsx, tenant):
    stream = io.BytesIO()
    with ZipFile(io.BytesIO(xlsx(["login"], ["ana"]))) as good, ZipFile(stream, "w") as far:
        for name in good.namelist():
            far.writestr(name, good.read(name).replace(b"</sheetData>", FAR_ROW))
    take_in(stream.getvalue())
    assert [person.login for person in tenant.recipients.all()] == ["ana"]


def test_a_workbook_that_unpacks_to_more_than_memory_is_refused(check, problems, xlsx):
    stream = io.BytesIO(xlsx(["login"], ["ana"]))
    with ZipFile(stream, "a", ZIP_DEFLATED) as packed, packed.open("padding", "w") as entry:
        for _ in range(210):
            entry.write(bytes(1 << 20))
    assert problems(check(stream.getvalue(), "bomb.xlsx")) == [
        "The workbook unpacks to more than 200 MB."
    ]


def test_what_a_spreadsheet_would_run_is_only_text(take_in, tenant):
    take_in("login,name\n'=1+1,'+cmd|x\n")
    assert tenant.recipients.values_list("login", "name").get() == ("=1+1", "+cmd|x")


def test_script_in_a_file_is_shown_escaped(check):
    page = check("login,name,roles\n<script>alert(1)</script>,<b>x</b>,<img src=x>\n")
    assert b"<script>alert" not in page.content
    assert b"<img src=x>" not in page.content
    good = check("login,name\n<script>alert(1)</script>,<b>x</b>\n")
    assert b"&lt;script&gt;alert(1)" in good.content
    assert b"<b>x</b>" not in good.content


def test_the_audit_trail_holds_who_imported_and_the_counts(take_in, make_person, tenant):
    make_person("ana")
    take_in("login,name\nana,Ana\nbo,Bo\n", "staff.csv")
    entry = AuditEntry.objects.get(action="recipient.import")
    assert (entry.tenant, entry.actor_kind) == (tenant, "user")
    assert entry.details == {
        "source": "staff.csv",
        "new": 1,
        "changed": 1,
        "unchanged": 0,
        "refused": 0,
    }


def test_confirming_twice_imports_once(check, admin_client, tenant):
    fields = check("login\nana\n").context["confirm_form"].initial
    admin_client.post(CONFIRM, fields)
    again = admin_client.post(CONFIRM, fields)
    assert again.status_code == 200
    assert b"This upload is no longer here" in again.content
    assert AuditEntry.objects.filter(action="recipient.import").count() == 1


def test_another_tenant_cannot_confirm_an_upload(check, client_as, other_tenant):
    fields = check("login\nana\n").context["confirm_form"].initial
    page = client_as("Administrator", of=other_tenant).post(CONFIRM, fields)
    assert b"This upload is no longer here" in page.content
    assert Recipient.objects.count() == 0


@pytest.mark.parametrize(
    "name", ["", "../../secret.key", "/etc/passwd", "1-zz", "0" * 32, "1-" + "0" * 32, "a\0b"]
)
def test_a_made_up_upload_name_finds_nothing(admin_client, name):
    fields = {"import_file_name": name, "original_file_name": "x.csv", "format": "0"}
    page = admin_client.post(CONFIRM, fields)
    assert page.status_code == 200
    assert page.context["confirm_form"].errors["import_file_name"]


@pytest.mark.parametrize("kind", ["", "7", "-1", "yaml"])
def test_a_made_up_format_is_refused(check, admin_client, kind):
    fields = check("login\nana\n").context["confirm_form"].initial
    page = admin_client.post(CONFIRM, {**fields, "format": kind})
    assert page.context["confirm_form"].errors["format"]
    assert Recipient.objects.count() == 0


def test_an_upload_is_kept_for_an_hour_and_then_swept(check, admin_client, settings):
    settings.REDIS_URL = ""  # Redis ends its keys by itself
    folder = settings.DATA_DIR / "imports"
    for left in folder.glob("*"):
        left.unlink()
    first = check("login\nana\n").context["confirm_form"].initial
    [kept] = folder.iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    an_hour_ago = time.time() - 3601
    os.utime(kept, (an_hour_ago, an_hour_ago))
    late = admin_client.post(CONFIRM, first)
    assert b"This upload is no longer here" in late.content
    check("login\nbo\n")
    assert kept.name not in {path.name for path in folder.iterdir()}


def test_a_file_that_is_not_good_leaves_no_upload_behind(check, settings):
    settings.REDIS_URL = ""  # Redis ends its keys by itself
    folder = settings.DATA_DIR / "imports"
    folder.mkdir(exist_ok=True)
    before = set(folder.iterdir())
    check("login,email\nana,nonsense\n")
    assert set(folder.iterdir()) == before


def test_a_role_that_goes_between_preview_and_confirmation_stops_the_import(
    check, admin_client, problems
):
    fields = check("login,roles\nana,\nbo,-5\n").context["confirm_form"].initial
    Role.objects.filter(code=-5).delete()
    page = admin_client.post(CONFIRM, fields)
    assert problems(page) == ["Line 3, roles: There is no role -5."]
    assert b"Nothing was imported" in page.content
    assert Recipient.objects.count() == 0
    assert not AuditEntry.objects.filter(action="recipient.import").exists()


@pytest.mark.parametrize("group", ["Composer", "Approver", "Operator", "Agent", "Auditor"])
def test_only_administrators_import(client_as, group):
    client = client_as(group)
    file = SimpleUploadedFile("people.csv", b"login\nana\n")
    assert client.get(IMPORT).status_code == 403
    assert client.post(IMPORT, {"import_file": file, "format": "0"}).status_code == 403
    assert client.post(CONFIRM, {"import_file_name": "x"}).status_code == 403
    assert b"Import</a>" not in client.get("/admin/notifications/recipient/").content


def test_the_import_takes_few_queries_however_many_rows(
    check, django_assert_max_num_queries, tenant
):
    rows = "".join(f"user{n},{n}@acme.example,-4\n" for n in range(1500))
    with django_assert_max_num_queries(25):
        page = check("login,email,roles\n" + rows)
    assert page.context["result"].report.counts["new"] == 1500


def test_addresses_are_written_in_the_tenants_own_rows_only(take_in, tenant):
    take_in("login,email\nana,a@acme.example\nbo,b@acme.example\n")
    assert Address.objects.filter(recipient__tenant=tenant).count() == 2
