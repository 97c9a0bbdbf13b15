"""The console in a real browser: narrow and wide, by keyboard, under the strict policy."""

import re

import pytest
from playwright.sync_api import expect

from project.access.audit import Actor, record
from project.access.models import ApiClient
from project.access.services import issue_token

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"


@pytest.fixture
def administrator(make_user):
    return make_user("Administrator", username="mara", first_name=LONG[:60], last_name=LONG[:60])


@pytest.fixture
def system(administrator, tenant):
    made = ApiClient.objects.create(tenant=tenant, name=f"{LONG} {LONG}"[:100])
    issue_token(made, by=Actor.user(administrator))
    return made


@pytest.fixture
def pages(administrator, system, tenant, make_user):
    make_user("Composer", username="x" * 150, email=f"{'y' * 60}@{'z' * 60}.example")
    entry = record(Actor.user(administrator), "client.add", tenant=tenant, target=system)
    return [
        "/admin/",
        "/admin/password_change/",
        "/admin/access/user/",
        "/admin/access/user/add/",
        f"/admin/access/user/{administrator.pk}/change/",
        "/admin/access/apiclient/",
        f"/admin/access/apiclient/{system.pk}/change/",
        f"/admin/access/apiclient/{system.pk}/delete/",
        f"/admin/access/apiclient/{system.pk}/history/",
        f"/admin/access/tenant/{tenant.pk}/change/",
        "/admin/access/auditentry/",
        f"/admin/access/auditentry/{entry.pk}/change/",
        "/admin/notifications/recipient/",
        "/admin/channels_app/delivery/",
        "/nowhere/",
    ]


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_scrolls_sideways_or_breaks_the_policy(window, administrator, pages, width):
    page = window(administrator, width=width)
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if "Content Security Policy" in message.text or "Refused to" in message.text
            else None
        ),
    )
    sideways = []
    for path in pages:
        page.goto(path)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            sideways.append(path)
    assert sideways == []
    assert complaints == []


def test_signing_in_by_keyboard_alone(window, make_user):
    make_user("Auditor", username="lena")
    page = window(None)
    page.goto("/admin/")
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type("lena")
    page.keyboard.press("Tab")
    page.keyboard.type("a quiet morning")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Acme Utilities")).to_be_visible()


def test_the_keyboard_skips_the_navigation(window, administrator):
    page = window(administrator)
    page.goto("/admin/access/user/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to main content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_the_pulse_beats_by_itself(window, administrator):
    page = window(administrator)
    page.goto("/admin/")
    expect(page.locator("#pulse")).to_contain_text("0 to send")


def test_on_a_phone_the_sections_are_behind_one_button(window, administrator):
    page = window(administrator, width=390)
    page.goto("/admin/")
    people = page.get_by_role("navigation", name="Main").get_by_role("link", name="People")
    expect(people).to_be_hidden()
    page.get_by_role("button", name="Menu").first.click()
    people.click()
    expect(page).to_have_url(re.compile("/admin/notifications/recipient/"))


def test_the_theme_is_chosen_in_the_menu_and_kept(window, administrator):
    page = window(administrator, color_scheme="light")
    page.goto("/admin/")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Your menu").click()
    page.get_by_role("button", name="Theme").click()
    expect(page.get_by_role("button", name="Theme")).to_contain_text("dark")
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light


def test_a_filter_opens_and_escape_closes_it(window, administrator):
    page = window(administrator)
    page.goto("/admin/access/user/")
    choice = page.get_by_role("link", name="Auditor")
    expect(choice).to_be_hidden()
    page.get_by_text("Group: All").click()
    expect(choice).to_be_visible()
    page.keyboard.press("Escape")
    expect(choice).to_be_hidden()


def test_what_is_done_with_rows_shows_once_rows_are_chosen(window, administrator):
    page = window(administrator)
    page.goto("/admin/access/user/")
    expect(page.locator(".actions")).to_be_hidden()
    page.locator(".action-select").first.check()
    expect(page.locator(".actions")).to_be_visible()
    expect(page.locator(".actions")).to_contain_text("1 of 1 selected")


def test_a_new_token_is_copied_by_its_button(window, administrator, system):
    page = window(administrator, permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"/admin/access/apiclient/{system.pk}/change/")
    page.get_by_role("button", name="Issue token").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    shown = page.locator("#token").inner_text()
    assert page.evaluate("navigator.clipboard.readText()") == shown


def test_revoking_asks_first(window, administrator, system):
    page = window(administrator)
    page.goto(f"/admin/access/apiclient/{system.pk}/change/")
    page.get_by_role("button", name="Revoke…").click()
    expect(page.get_by_text("This can't be undone.")).to_be_visible()
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_text("This can't be undone.")).to_be_hidden()
    page.get_by_role("button", name="Revoke…").click()
    page.get_by_role("button", name="Revoke it").click()
    expect(page.get_by_role("status")).to_contain_text("is revoked")
    assert system.tokens.get().revoked_at is not None
