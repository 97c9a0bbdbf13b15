import threading

import pytest
from django.db import connection
from django.test import Client

from notifications.models import Recipient, Template
from notifications.templating import ensure_default_template, retire_template, save_version
from project.access.audit import Actor
from project.access.models import AuditEntry

LIST = "/admin/notifications/template/"
ADD = f"{LIST}add/"
PREVIEW = f"{LIST}preview/"
BY = Actor.hub("tests")

pytestmark = pytest.mark.django_db


def page_of(template: Template, page: str = "change") -> str:
    return f"{LIST}{template.pk}/{page}/"


def errors(page) -> list[str]:
    form = page.context["adminform"].form
    return [str(text) for texts in form.errors.values() for text in texts]


def test_the_list_shows_number_kind_version_and_author(admin_client, make_template):
    template = make_template("Planned outage", kind="IMAGE", body="https://acme.example/a.png")
    save_version(template, body="https://acme.example/b.png", by=Actor.hub("Ines P."))
    text = admin_client.get(LIST).content.decode()
    for word in ("Planned outage", "Image", "v2", "Ines P.", "in use"):
        assert word in text


def test_the_list_takes_the_same_few_queries_for_many_templates(
    admin_client, make_template, django_assert_max_num_queries
):
    for number in range(30):
        make_template(f"Template {number}")
    with django_assert_max_num_queries(14):
        admin_client.get(LIST)


def test_a_template_is_added_with_the_next_number(admin_client, tenant, make_template):
    make_template()
    data = {"name": "News", "kind": "TEXT", "body": "Hi @recipient.first_name"}
    response = admin_client.post(ADD, data | {"_continue": "1"})
    template = tenant.templates.get(name="News")
    assert response.url == page_of(template)
    assert (template.number, template.current.version) == (2, 1)
    assert AuditEntry.objects.filter(action="template.add", target_id=template.pk).count() == 1


def test_a_changed_body_makes_a_version_and_the_page_lists_both(
    admin_client, make_template, tenant
):
    template = make_template(body="one")
    admin_client.post(page_of(template), {"name": "Outage", "body": "two", "based_on": "1"})
    page = admin_client.get(page_of(template))
    assert [(v.version, v.body) for v in page.context["versions"]] == [(2, "two"), (1, "one")]
    assert template.current.created_by.startswith("administrator")


def test_an_unchanged_body_makes_none_and_a_new_name_is_kept(admin_client, make_template):
    template = make_template(body="one\ntwo")
    admin_client.post(page_of(template), {"name": "Renamed", "body": "one\r\ntwo", "based_on": "1"})
    template.refresh_from_db()
    assert (template.name, template.current.version) == ("Renamed", 1)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "x" * 101}, "Ensure this value has at most 100 characters (it has 101)."),
        ({"name": "a\0b"}, "Null characters are not allowed."),
        ({"name": "Taken"}, "A template with this name exists."),
        ({"kind": "VIDEO"}, "Select a valid choice. VIDEO is not one of the available choices."),
        ({"kind": ""}, "This field is required."),
        ({"body": ""}, "This field is required."),
        ({"body": "  \n "}, "It is empty."),
        ({"body": "a\0b"}, "Null characters are not allowed."),
        ({"body": "x" * 40_001}, "It has 40,001 characters; the most is 40,000."),
        ({"body": "Hi\n@recipient.nmae"}, "Line 2, character 1: "),
        ({"body": "Hi @recipient.name|shout"}, 'Character 19: "shout" is not a filter;'),
        ({"kind": "IMAGE", "body": "javascript:alert(1)"}, "url: The URL must begin with https"),
        ({"kind": "CARD", "body": "{broken"}, "It is not JSON ("),
        ({"kind": "CARD", "body": "[1]"}, "It must be a JSON object"),
        ({"kind": "CARD", "body": '{"titel": "x"}'}, "titel: This key is not known here;"),
        ({"based_on": "seven"}, "Enter a whole number."),
    ],
)
def test_bad_input_is_answered_in_the_form(admin_client, make_template, given, error):
    make_template("Taken")
    page = admin_client.post(ADD, {"name": "News", "kind": "TEXT", "body": "Hi"} | given)
    assert page.status_code == 200
    assert any(text.startswith(error) for text in errors(page)), errors(page)
    assert Template.objects.count() == 1


def test_a_name_taken_by_another_is_refused_when_changing_too(admin_client, make_template):
    make_template("Taken")
    template = make_template("News")
    page = admin_client.post(page_of(template), {"name": "Taken", "body": "Hi"})
    assert errors(page) == ["A template with this name exists."]


def test_all_problems_of_a_text_are_shown_at_once_and_escaped(admin_client):
    body = "<script>alert(1)</script> @recipient.<b> @recipient.nmae @tennant.name"
    page = admin_client.post(ADD, {"name": "News", "kind": "TEXT", "body": body})
    assert len(errors(page)) == 2
    assert b"<script>alert" not in page.content


def test_words_with_script_are_shown_escaped_everywhere(admin_client, make_template):
    template = make_template("<i>x</i>", body="<script>alert(1)</script>")
    for path in (LIST, page_of(template), page_of(template, "history")):
        text = admin_client.get(path).content.decode()
        assert "<script>alert" not in text
        assert "<i>x</i>" not in text


def test_writing_over_anothers_words_takes_a_second_look(admin_client, make_template):
    template = make_template(body="one")
    save_version(template, body="theirs", by=Actor.hub("Ines P."))
    data = {"name": "Outage", "body": "mine", "based_on": "1"}
    page = admin_client.post(page_of(template), data)
    [error] = errors(page)
    assert error.startswith("Ines P. saved version 2 while you were writing.")
    assert template.current.body == "theirs"
    assert "mine" in page.content.decode()
    # The page now stands on the version that it shows, so saving again means it.
    shown = page.context["adminform"].form["based_on"].value()
    admin_client.post(page_of(template), data | {"based_on": shown})
    assert [version.body for version in template.versions.all()] == ["mine", "theirs", "one"]


def test_a_kind_and_a_number_do_not_change(admin_client, make_template):
    template = make_template()
    data = {"name": "Outage", "body": "Hi", "kind": "CARD", "number": "77"}
    admin_client.post(page_of(template), data)
    template.refresh_from_db()
    assert (template.kind, template.number) == ("TEXT", 1)


def test_a_template_is_retired_and_never_deleted(admin_client, make_template):
    template = make_template()
    assert admin_client.post(page_of(template, "delete"), {"post": "yes"}).status_code == 403
    admin_client.post(page_of(template, "retired"), {"retired": "1"})
    assert Template.objects.get().is_retired
    assert b"retired, kept for the log" in admin_client.get(page_of(template)).content
    admin_client.post(page_of(template, "retired"), {"retired": "0"})
    assert not Template.objects.get().is_retired


def test_the_list_retires_too_but_not_the_default(admin_client, make_template, tenant):
    default, template = ensure_default_template(tenant), make_template()
    chosen = {"action": "retire", "_selected_action": [default.pk, template.pk]}
    page = admin_client.post(LIST, chosen, follow=True)
    default.refresh_from_db()
    template.refresh_from_db()
    assert (default.is_retired, template.is_retired) == (False, True)
    assert b"The default template can&#x27;t be retired." in page.content
    assert b"Outage" not in admin_client.get(f"{LIST}?state=used").content


def test_another_tenants_template_has_no_page_here(admin_client, make_template, other_tenant):
    theirs = make_template(of=other_tenant)
    assert admin_client.get(page_of(theirs)).status_code == 302
    admin_client.post(page_of(theirs), {"name": "Mine", "body": "Mine"})
    assert admin_client.post(page_of(theirs, "retired"), {"retired": "1"}).status_code == 404
    theirs.refresh_from_db()
    assert (theirs.name, theirs.current.version, theirs.is_retired) == ("Outage", 1, False)


@pytest.mark.parametrize("group", ["Approver", "Operator", "Agent", "Auditor"])
def test_readers_read_the_words_and_change_nothing(client_as, make_template, group):
    template = make_template(body="Read me, @recipient.name")
    client = client_as(group)
    page = client.get(page_of(template))
    assert page.status_code == 200
    assert b"Read me, @recipient.name" in page.content
    data = {"name": "Mine", "body": "Mine"}
    assert client.post(page_of(template), data).status_code == 403
    assert client.post(ADD, data | {"kind": "TEXT"}).status_code == 403
    assert client.post(page_of(template, "retired"), {"retired": "1"}).status_code == 403


def test_composers_write_templates(client_as, make_template):
    template = make_template(body="one")
    client_as("Composer").post(page_of(template), {"name": "Outage", "body": "two"})
    assert template.current.body == "two"


def test_a_retired_template_can_still_be_read(admin_client, make_template):
    template = make_template()
    retire_template(template, by=BY)
    assert admin_client.get(page_of(template)).status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("based_on", ["1", ""])
def test_two_saves_at_once_make_two_versions_or_one_clear_error(
    admin_client, make_template, based_on
):
    template = make_template(body="one")
    start = threading.Barrier(2)
    pages = []

    def save(body: str) -> None:
        try:
            client = Client()
            client.cookies = admin_client.cookies.copy()
            start.wait(10)
            data = {"name": "Outage", "body": body, "based_on": based_on}
            pages.append(client.post(page_of(template), data))
        finally:
            connection.close()

    threads = [threading.Thread(target=save, args=(body,)) for body in ("two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    versions = [version.version for version in template.versions.all()]
    if based_on:
        assert sorted(page.status_code for page in pages) == [200, 302]
        [refused] = [page for page in pages if page.status_code == 200]
        assert b"while you were writing" in refused.content
        assert versions == [2, 1]
    else:
        assert [page.status_code for page in pages] == [302, 302]
        assert versions == [3, 2, 1]


@pytest.mark.django_db(transaction=True)
def test_two_new_templates_at_once_get_two_numbers(admin_client, tenant):
    start = threading.Barrier(2)
    statuses = []

    def add(name: str) -> None:
        try:
            client = Client()
            client.cookies = admin_client.cookies.copy()
            start.wait(10)
            data = {"name": name, "kind": "TEXT", "body": "Hi"}
            statuses.append(client.post(ADD, data).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=add, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert statuses == [302, 302]
    assert sorted(tenant.templates.values_list("number", flat=True)) == [1, 2]


def preview(client: Client, body: str, **given) -> str:
    data = {"kind": "TEXT", "body": body, "preview_login": "", "preview_message": ""} | given
    page = client.post(PREVIEW, data)
    assert page.status_code == 200
    return page.content.decode()


def test_a_preview_reads_as_the_chosen_person_would(admin_client, tenant):
    Recipient.objects.create(
        tenant=tenant, login="Ana@acme", name="Ana Ruiz", time_zone="Asia/Tokyo"
    )
    text = preview(
        admin_client,
        "Hello @recipient.first_name in @recipient.time_zone: @request.message",
        preview_login="ana@ACME",
        preview_message="Back at nine",
    )
    assert "Hello Ana in Asia/Tokyo: Back at nine" in text


def test_a_preview_names_what_is_given_only_when_composing(admin_client):
    text = preview(admin_client, 'Until @event.until, by @event.who|default:"us"')
    assert "Until [event.until], by us" in text
    assert "<code>@event.until</code>" in text
    assert "<code>@event.who</code>" not in text


def test_a_preview_names_the_problems(admin_client):
    assert "Character 7: " in preview(admin_client, "Hello @recipient.nmae")
    assert "There is nobody with the login" in preview(admin_client, "Hi", preview_login="nobody")
    assert "Select a valid choice" in preview(admin_client, "Hi", kind="VIDEO")
    assert "Null characters are not allowed" in preview(admin_client, "a\0b")
    assert "at most 254" in preview(admin_client, "Hi", preview_login="x" * 300)


def test_a_preview_draws_a_card_and_escapes_it(admin_client):
    card = (
        '{"title": "<b>Outage</b>", "text": "See https://acme.example/x", '
        '"actions": [{"title": "Details", "url": "https://acme.example/d"}]}'
    )
    text = preview(admin_client, card, kind="CARD")
    assert "&lt;b&gt;Outage&lt;/b&gt;" in text
    assert 'href="https://acme.example/x"' in text
    assert 'href="https://acme.example/d"' in text


def test_a_preview_knows_nobody_of_another_tenant(admin_client, other_tenant):
    Recipient.objects.create(tenant=other_tenant, login="theirs", name="Secret Name")
    text = preview(admin_client, "Hi @recipient.name", preview_login="theirs")
    assert "Secret Name" not in text
    assert "There is nobody with the login" in text


def test_a_preview_is_asked_for_by_post_and_signed_in(admin_client, client):
    assert admin_client.get(PREVIEW).status_code == 405
    assert client.post(PREVIEW, {}).status_code == 302
