"""What a browser fetches unasked, and how it calls an agent who looks elsewhere."""

import pytest
from playwright.sync_api import Route, expect

from tests.support.console_page import PNG, row, said

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_picture_from_elsewhere_is_fetched_once_it_is_asked_for(customer, mara, at_desk, waiting):
    session = waiting("Ana Ruiz", "Look at my meter")
    url = "https://pics.example/meter.png"
    customer.says(str(session.public_id), "Here", type="Image", url=url)
    page = at_desk(mara)
    asked: list[str | None] = []

    def give(route: Route) -> None:
        asked.append(route.request.header_value("referer"))
        route.fulfill(body=PNG, content_type="image/png")

    page.route(url, give)
    row(page, "Ana Ruiz").click()
    expect(said(page, "Here")).to_be_visible()
    page.get_by_text("Look at my meter").hover()
    page.wait_for_timeout(1000)
    assert asked == []
    page.get_by_text("Picture from pics.example").click()
    picture = page.get_by_role("img", name="meter.png")
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("complete", True)
    assert asked == [None], "with the console's address, or not at all"
    customer.says(str(session.public_id), "Can you see it?")
    expect(said(page, "Can you see it?")).to_be_visible()
    expect(picture).to_be_visible()


def test_a_picture_that_can_t_be_fetched_is_said_in_words(customer, mara, at_desk, waiting):
    session = waiting("Ana Ruiz", "Hello")
    url = "https://pics.example/meter.png"
    customer.says(str(session.public_id), "Here", type="Image", url=url)
    page = at_desk(mara)
    page.route(url, lambda route: route.fulfill(status=200, body="<p>", content_type="text/html"))
    row(page, "Ana Ruiz").click()
    page.get_by_text("Picture from pics.example").click()
    expect(page.get_by_text("meter.png: the picture can")).to_be_visible()
    expect(page.get_by_role("img", name="meter.png")).to_have_count(0)


# Keeps what the desktop would show, and lets the test say whether the tab is seen.
WATCHED = """
    window.notes = [];
    window.Notification = class extends window.Notification {
        constructor(words, options) { super(words, options); notes.push(words); }
    };
    const hidden = { configurable: true, get: () => window.isAway ?? false };
    Object.defineProperty(document, "hidden", hidden);
"""


def test_an_agent_who_looks_elsewhere_is_called(customer, mara, at_desk, waiting):
    page = at_desk(mara)
    page.context.grant_permissions(["notifications"])
    page.add_init_script(WATCHED)
    page.reload()
    page.evaluate("isAway = true")
    waiting("Ana Ruiz", "Hello")
    expect(row(page, "Ana Ruiz")).to_contain_text("Offered to you")
    assert page.evaluate("notes") == [], "nobody asked for it"
    page.get_by_role("button", name="Alert me").click()
    bo = waiting("Bo Chen", "Hi")
    expect(row(page, "Bo Chen")).to_contain_text("Offered to you")
    assert page.evaluate("notes") == ["Offered to you: Billing"]

    page.evaluate("isAway = false")
    waiting("Chidi Obi", "Hey")
    expect(row(page, "Chidi Obi")).to_contain_text("Offered to you")
    row(page, "Bo Chen").click()
    expect(said(page, "Hi")).to_be_visible()
    assert len(page.evaluate("notes")) == 1, "whoever looks sees it there"

    page.reload()
    silent = page.get_by_role("button", name="Alerts: press for sound")
    expect(silent).to_be_visible()
    waiting("Dana Wu", "Good day")
    expect(row(page, "Dana Wu")).to_contain_text("Offered to you")
    assert len(page.evaluate("notes")) == 1, "what can't be heard is noted"
    page.evaluate("notes.length = 0")
    silent.click()
    expect(page.get_by_role("button", name="Alerts are on", exact=True)).to_be_visible()
    page.evaluate("isAway = true")
    customer.says(str(bo.public_id), "Are you there?")
    expect(row(page, "Bo Chen")).to_contain_text("1 unread")
    assert page.evaluate("notes") == ["1 unread message"], "what was there before is no news"
    page.get_by_role("button", name="Alerts are on").click()
    customer.says(str(bo.public_id), "Hello?")
    expect(row(page, "Bo Chen")).to_contain_text("2 unread")
    assert len(page.evaluate("notes")) == 1


def test_a_browser_that_refuses_notes_still_sounds(mara, at_desk, waiting):
    page = at_desk(mara)
    page.add_init_script(
        """
        window.tones = 0;
        const start = OscillatorNode.prototype.start;
        OscillatorNode.prototype.start = function (...at) { tones += 1; start.apply(this, at); };
        Object.defineProperty(Notification, "permission", { get: () => "denied" });
        """
    )
    page.reload()
    page.get_by_role("button", name="Alert me").click()
    expect(page.get_by_role("button", name="Alerts are on, by sound")).to_be_visible()
    page.wait_for_function("tones === 2")  # as a sample
    waiting("Ana Ruiz", "Hello")
    expect(row(page, "Ana Ruiz")).to_contain_text("Offered to you")
    page.wait_for_function("tones === 4")
