"""The sessions' pages in a real browser, under the strict policy, wide and narrow."""

import re

import pytest
from playwright.sync_api import expect

from channels_app.models import WorkType
from channels_app.sessions import services
from channels_app.sessions.services import Said

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def window(browser, site, make_user):
    """A window in which somebody of this group is signed in; complaints of the page fail."""
    from django.conf import settings
    from django.test import Client

    contexts, complaints = [], []

    def show(group: str, *, width: int = 1280):
        client = Client()
        backend = "django.contrib.auth.backends.ModelBackend"
        client.force_login(make_user(group), backend=backend)
        name = settings.SESSION_COOKIE_NAME
        context = browser.new_context(base_url=site, viewport={"width": width, "height": 900})
        context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": site}])
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda line: complaints.append(line.text) if line.type == "error" else None,
        )
        return page

    yield show
    for context in contexts:
        context.close()
    assert complaints == []


def test_an_administrator_sets_opening_hours_in_the_form(window, tenant):
    page = window("Administrator")
    page.goto("/admin/channels_app/worktype/add/")
    page.get_by_label("Name").fill("Billing")
    page.get_by_label("ID", exact=True).fill("32")
    page.get_by_text("Add another Span").click()
    page.locator("#id_hours-0-weekday").select_option("Tuesday")
    page.locator("#id_hours-0-opens").fill("08:00")
    page.locator("#id_hours-0-closes").fill("24:00")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("row").filter(has_text="Billing")).to_be_visible()
    assert [str(row) for row in WorkType.objects.get().hours.all()] == ["Tuesday 08:00 to 24:00"]


@pytest.mark.parametrize("width", [390, 1280])
def test_an_auditor_reads_a_session_and_takes_the_transcript(window, begin, mara, width):
    session = services.join(begin("Ana Ruiz" + "z" * 200), agent=mara)
    long_url = f"https://pics.example/{'a' * 400}.png"
    services.accept_message(session, Said(text="w" * 900))
    said = Said(attachment_type="Image", attachment_url=long_url, attachment_name="b" * 120)
    services.say(session, said, agent=mara)
    page = window("Auditor", width=width)
    page.goto("/admin/channels_app/session/")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("link", name=str(session.pk), exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"Session {session.pk} with Ana")
    expect(page.get_by_role("img").first).to_have_accessible_name(
        re.compile(r"^Open for .+\. 1 message from the contact, 1 to them\. It ends by itself at ")
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("link", name="Conversation").click()
    expect(page.get_by_role("heading", name="The conversation")).to_be_visible()
    expect(page.locator(".sess-line").get_by_text("Came up")).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("link", name="Transcript as text").click()
    assert download.value.suggested_filename == f"session-{session.pk}.txt"
    assert "Mara joined" in download.value.path().read_text()
