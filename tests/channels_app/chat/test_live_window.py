"""The chat window in a real browser."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect

from channels_app.channel_services import rotate
from channels_app.chat_links import chat_url
from channels_app.models import Channel, ChatMessage
from tests.support.channels import BY, make_channel, make_tenant, say

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PIXEL = b'<svg xmlns="http://www.w3.org/2000/svg" width="600" height="400"/>'


@pytest.fixture
def channel(transactional_db) -> Channel:
    return make_channel(make_tenant(time_zone="Europe/Madrid"))


@pytest.fixture
def url(channel, site) -> str:
    return chat_url(channel, "ana")


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser complains about: errors and refused content."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda line: found.append(line.text) if line.type == "error" else None)
    return found


def hide(page: Page, hidden: bool = True) -> None:
    """Make the page believe that its tab went to the back, or came to the front."""
    page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", { configurable: true, value: hidden });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def looks(page: Page) -> list[str]:
    """From now on, gather the page's looks for new messages."""
    found: list[str] = []

    def note(request: Request) -> None:
        if "/new?" in request.url:
            found.append(request.url)

    page.on("request", note)
    return found


def test_a_message_appears_by_itself(page, url, channel, complaints):
    page.goto(url)
    expect(page.get_by_text("Nothing here yet.")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Live")
    say(channel, "The power is back.")
    expect(page.get_by_text("The power is back.")).to_be_visible()
    expect(page.get_by_text("Nothing here yet.")).to_be_hidden()
    assert complaints == []


def test_messages_are_told_to_screen_readers_and_drawn_once(page, url, channel):
    say(channel, "first")
    page.goto(url)
    for number in range(3):
        say(channel, f"more {number}")
        expect(page.get_by_text(f"more {number}")).to_be_visible()
    page.wait_for_timeout(1500)
    log = page.get_by_role("log")
    expect(log).to_have_attribute("aria-live", "polite")
    expect(log.locator(".chat-message")).to_have_count(4)


def test_what_a_visible_window_shows_is_read(page, url, channel):
    message = say(channel, "seen")
    page.goto(url)
    expect(page.locator("[data-unread]")).to_have_count(0)
    expect(page).to_have_title("Acme Utilities")
    message.refresh_from_db()
    assert message.read_at
    expect(page.locator(".chat-new")).to_have_count(0)


def test_a_hidden_tab_asks_nothing_and_reads_nothing_until_it_is_seen(page, url, channel):
    page.goto(url)
    expect(page.get_by_role("status")).to_have_text("Live")
    hide(page)
    page.wait_for_timeout(300)  # a look that was under way ends
    asked = looks(page)
    message = say(channel, "while you were away")
    page.wait_for_timeout(2500)
    assert asked == []
    message.refresh_from_db()
    assert message.read_at is None
    hide(page, False)
    expect(page.get_by_text("while you were away")).to_be_visible()
    expect(page.locator("[data-unread]")).to_have_count(0)


def test_a_tab_opened_in_the_back_counts_in_its_title(context: BrowserContext, url, channel):
    say(channel, "one")
    say(channel, "two")
    page = context.new_page()
    page.add_init_script(
        'Object.defineProperty(document, "hidden", { configurable: true, value: true });'
    )
    page.goto(url)
    expect(page).to_have_title("(2) Acme Utilities")
    expect(page.locator(".chat-new")).to_have_count(2)
    assert ChatMessage.objects.filter(read_at=None).count() == 2
    hide(page, False)
    expect(page).to_have_title("Acme Utilities")
    expect(page.locator("[data-unread]")).to_have_count(0)
    assert not ChatMessage.objects.filter(read_at=None).exists()


def test_two_windows_of_one_person_both_get_everything(context: BrowserContext, url, channel):
    first, second = context.new_page(), context.new_page()
    for page in (first, second):
        page.goto(url)
        expect(page.get_by_role("status")).to_have_text("Live")
    say(channel, "for both")
    for page in (first, second):
        expect(page.get_by_text("for both")).to_be_visible()


@pytest.mark.parametrize("scrolled", [0, 30])  # Chromium keeps the place by itself below the top
def test_earlier_messages_are_put_above_without_moving_the_reader(page, url, channel, scrolled):
    for number in range(70):
        say(channel, f"message {number:02}")
    page.goto(url)
    expect(page.get_by_text("message 69")).to_be_in_viewport()
    page.evaluate(f"scrollTo(0, {scrolled})")
    expect(page.get_by_text("message 25")).to_be_in_viewport()
    before = page.get_by_text("message 25").bounding_box()
    assert before
    page.get_by_role("link", name="Earlier messages").click()
    expect(page.locator(".chat-message")).to_have_count(70)
    after = page.get_by_text("message 25").bounding_box()
    assert after
    assert abs(after["y"] - before["y"]) < 2


def test_a_reader_of_old_messages_is_not_pulled_down(page, url, channel):
    for number in range(40):
        say(channel, f"message {number:02}")
    page.goto(url)
    expect(page.get_by_text("message 39")).to_be_in_viewport()
    page.mouse.wheel(0, -4000)
    expect(page.get_by_text("message 00")).to_be_in_viewport()
    say(channel, "the newest")
    button = page.get_by_role("button", name="New messages")
    expect(button).to_be_visible()
    expect(page.get_by_text("message 00")).to_be_in_viewport()
    button.click()
    expect(page.get_by_text("the newest")).to_be_in_viewport()
    expect(button).to_be_hidden()


def test_a_picture_that_arrives_late_keeps_the_newest_message_in_view(page, url, channel):
    for number in range(10):
        say(channel, f"message {number}")
    say(channel, payload={"type": "IMAGE", "url": "https://acme.example/map.svg", "text": "Map"})
    say(channel, "after the map")
    heard = []

    def answer(route):
        heard.append(route.request.headers)
        route.fulfill(body=PIXEL, content_type="image/svg+xml")

    page.route("https://acme.example/**", answer)
    page.goto(url)
    expect(page.get_by_alt_text("Map")).to_be_attached()
    page.wait_for_function("document.images[0].complete")
    expect(page.get_by_text("after the map")).to_be_in_viewport()
    assert "referer" not in heard[0]


def test_times_are_told_in_the_readers_zone(browser, url, channel):
    say(channel, sent_at=datetime(2025, 3, 1, 12, 0, tzinfo=UTC))
    context = browser.new_context(timezone_id="Asia/Tokyo", locale="en-GB")
    page = context.new_page()
    page.goto(url)
    expect(page.locator("time")).to_have_text(re.compile(r"1 Mar 2025.*21:00"))
    context.close()


def test_an_ended_link_says_so_and_asks_no_more(page, url, channel):
    page.goto(url)
    expect(page.get_by_role("status")).to_have_text("Live")
    rotate(channel, by=BY, overlap=timedelta())
    expect(page.get_by_role("status")).to_have_text("This link has ended")
    asked = looks(page)
    page.wait_for_timeout(1500)
    assert asked == []


def test_a_lost_connection_is_said_and_comes_back(page, url, channel, context: BrowserContext):
    page.goto(url)
    expect(page.get_by_role("status")).to_have_text("Live")
    context.set_offline(True)
    expect(page.get_by_role("status")).to_have_text("Not connected, trying again")
    context.set_offline(False)
    say(channel, "back again")
    expect(page.get_by_text("back again")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Live")


def test_hostile_messages_run_nothing(page, url, channel, complaints):
    say(channel, "<img src=x onerror=alert(1)><script>alert(2)</script>")
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.goto(url)
    say(channel, '"><svg onload=alert(3)> {{ 7 }} javascript:alert(4)')
    expect(page.get_by_text("javascript:alert(4)")).to_be_visible()
    assert page.locator(".chat-message img, .chat-message script, .chat-message svg").count() == 0
    assert complaints == []


def test_a_flood_keeps_the_page_small_and_the_rest_within_reach(page, url, channel):
    page.goto(url)
    expect(page.get_by_role("status")).to_have_text("Live")
    for number in range(420):
        say(channel, f"flood {number:03}")
    expect(page.get_by_text("flood 419")).to_be_in_viewport()
    assert page.locator(".chat-message").count() <= 300
    first = page.locator(".chat-message").first.inner_text()
    page.get_by_role("link", name="Earlier messages").click()
    expect(page.locator(".chat-message").first).not_to_have_text(first)
    texts = page.locator(".chat-text").all_inner_texts()
    assert texts == sorted(texts)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out_of_the_window(browser, url, channel, scheme, width):
    say(channel, "w" * 500)
    say(
        channel,
        payload={
            "type": "CARD",
            "title": "T" * 300,
            "text": "x",
            "actions": [{"title": "A" * 80, "url": "https://acme.example/" + "u" * 500}],
        },
    )
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto(url)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
