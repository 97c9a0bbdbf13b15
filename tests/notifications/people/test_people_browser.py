"""People's pages in a real browser: a list is taken in and a person's addresses are edited."""

import pytest
from django.conf import settings
from playwright.sync_api import FilePayload, Page, expect

from notifications.models import Recipient

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PEOPLE = "/admin/notifications/recipient/"


@pytest.fixture
def window(page: Page, site, admin_client) -> Page:
    value = admin_client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": value, "url": site}])
    return page


def upload(window: Page, content: str) -> None:
    file: FilePayload = {"name": "staff.csv", "mimeType": "text/csv", "buffer": content.encode()}
    window.get_by_label("CSV (UTF-8) or XLSX").set_input_files(file)
    window.get_by_role("button", name="Check the file").click()


def test_a_list_is_mended_previewed_and_taken_in(window, site, tenant):
    window.goto(f"{site}{PEOPLE}")
    window.get_by_role("link", name="Import", exact=True).click()
    upload(window, "login,email\nana,nonsense\n")
    expect(window.get_by_text("Enter a valid email address.")).to_be_visible()
    upload(window, "login,email\nana,ana@acme.example\nbo,bo@acme.example\n")
    expect(window.get_by_text("Nothing is changed yet.")).to_be_visible()
    assert tenant.recipients.count() == 0
    window.get_by_role("button", name="Import 2 rows").click()
    expect(window.get_by_text("Imported: 2 new")).to_be_visible()
    expect(window.get_by_text("ana@acme.example")).to_be_visible()


def test_a_second_address_is_added_to_a_person(window, site, make_person):
    ana = make_person("ana", addresses={"email": "ana@acme.example"})
    window.goto(f"{site}{PEOPLE}{ana.pk}/change/")
    window.get_by_role("button", name="Add another Address").click()
    window.locator("#id_addresses-2-kind").select_option("chat")
    window.locator("#id_addresses-2-value").fill("ana-chat")
    window.get_by_role("button", name="Save", exact=True).click()
    expect(window.get_by_text("was changed successfully")).to_be_visible()
    assert dict(Recipient.objects.get().addresses.values_list("kind", "value")) == {
        "email": "ana@acme.example",
        "chat": "ana-chat",
    }


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_of_people_scrolls_sideways(window, site, make_person, tenant, width):
    ana = make_person("x" * 250, name="y" * 150, addresses={"chat": "z" * 250})
    role = tenant.roles.first()
    window.set_viewport_size({"width": width, "height": 800})
    for path in (
        PEOPLE,
        f"{PEOPLE}add/",
        f"{PEOPLE}{ana.pk}/change/",
        f"{PEOPLE}import/",
        f"{PEOPLE}export/",
        "/admin/notifications/role/",
        f"/admin/notifications/role/{role.pk}/change/",
        f"/admin/notifications/role/{role.pk}/delete/",
    ):
        window.goto(f"{site}{path}")
        assert not window.evaluate("document.documentElement.scrollWidth > innerWidth"), path
