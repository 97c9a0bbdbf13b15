"""The editor in a real browser: what it shows while someone types."""

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from notifications.models import Recipient

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def editor(page: Page, site, admin_client) -> Page:
    value = admin_client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": value, "url": site}])
    return page


def test_the_preview_follows_what_is_typed_and_as_whom(editor, site, make_template, tenant):
    Recipient.objects.create(tenant=tenant, login="ana", name="Ana Ruiz")
    Recipient.objects.create(tenant=tenant, login="bo", name="Bo Chen")
    template = make_template(body="Hello @recipient.first_name")
    editor.goto(f"{site}/admin/notifications/template/{template.pk}/change/")
    preview = editor.locator("#preview")
    expect(preview).to_contain_text("Hello Ana")
    editor.get_by_label("Words").fill("Good day @recipient.name")
    expect(preview).to_contain_text("Good day Ana Ruiz")
    editor.get_by_label("As seen by").fill("bo")
    expect(preview).to_contain_text("Good day Bo Chen")
    editor.get_by_label("Words").fill("Good day @recipient.nmae")
    expect(preview).to_contain_text("Character 10")
    assert template.current.version == 1


def test_a_new_cards_preview_knows_the_chosen_kind(editor, site, tenant):
    editor.goto(f"{site}/admin/notifications/template/add/")
    editor.get_by_label("Words").fill('{"title": "Outage"}')
    editor.get_by_label("Kind").select_option("CARD")
    expect(editor.locator("#preview h3")).to_have_text("Outage")
    editor.get_by_label("Name", exact=False).first.fill("Outage card")
    editor.get_by_role("button", name="Save", exact=True).click()
    expect(editor.get_by_text("was added successfully")).to_be_visible()
    assert tenant.templates.get().kind == "CARD"


@pytest.mark.parametrize("width", [390, 1280])
def test_the_editor_never_scrolls_sideways(editor, site, make_template, width):
    template = make_template("x" * 100, body="y" * 3000)
    editor.set_viewport_size({"width": width, "height": 800})
    for path in ("", "add/", f"{template.pk}/change/"):
        editor.goto(f"{site}/admin/notifications/template/{path}")
        assert not editor.evaluate("document.documentElement.scrollWidth > innerWidth"), path
