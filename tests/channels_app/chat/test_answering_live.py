"""Answering in a real browser: the contact writes, an agent replies, and it appears."""

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from channels_app.channel_services import rotate
from channels_app.chat_links import chat_url
from channels_app.models import Channel, Message, Session
from channels_app.sessions import services
from channels_app.sessions.services import Said
from tests.support.channels import BY, make_channel, say

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def channel(transactional_db, tenant) -> Channel:
    return make_channel(tenant)


@pytest.fixture
def url(channel, billing, site) -> str:
    return chat_url(channel, "ana")


@pytest.fixture
def window(page: Page, url: str) -> Page:
    """Ana's window, open and live."""
    page.goto(url)
    expect(page.get_by_role("status")).to_have_text("Live")
    return page


def box(page: Page):
    return page.get_by_role("textbox", name="Message to Acme Utilities")


def own(page: Page):
    return page.locator(".chat-own .chat-text")


def said() -> list[str]:
    return list(Message.objects.from_contact().order_by("pk").values_list("text", flat=True))


def test_one_writes_and_an_agent_replies(window, mara, waiting, work):
    complaints: list[str] = []
    window.on("pageerror", lambda error: complaints.append(str(error)))
    window.on("console", lambda line: complaints.append(line.text))
    box(window).fill("is it back yet?")
    window.keyboard.press("Enter")
    expect(own(window)).to_have_text(["is it back yet?"])
    expect(box(window)).to_have_value("")
    expect(box(window)).to_be_focused()
    session = services.join(waiting(), agent=mara)
    services.say(session, Said(text="Yes, since 20:40."), agent=mara)
    work()
    expect(window.get_by_text("Mara joined")).to_be_visible()
    expect(window.get_by_text("Yes, since 20:40.")).to_be_in_viewport()
    expect(window.locator(".chat-sender")).to_have_text("Mara")
    box(window).fill("Thank you!")
    window.get_by_role("button", name="Send").click()
    expect(own(window)).to_have_text(["is it back yet?", "Thank you!"])
    services.end_by_agent(session, agent=mara)
    work()
    expect(window.get_by_text("The conversation has ended.")).to_be_in_viewport()
    assert complaints == []


def test_two_windows_of_one_contact_show_one_conversation(context: BrowserContext, url):
    first, second = context.new_page(), context.new_page()
    for page in (first, second):
        page.goto(url)
        expect(page.get_by_role("status")).to_have_text("Live")
    for page, text in ((first, "from the first"), (second, "from the second")):
        box(page).fill(text)
        page.keyboard.press("Enter")
        expect(own(page).last).to_have_text(text)
    for page in (first, second):
        # A window that nobody sees looks once a minute, and the browser may put that off.
        page.reload()
        expect(own(page)).to_have_text(["from the first", "from the second"])
        expect(page).to_have_title("Acme Utilities")
    assert Session.objects.count() == 1


def test_enter_sends_and_shift_enter_breaks_the_line(window):
    box(window).press_sequentially("one")
    window.keyboard.press("Shift+Enter")
    window.keyboard.type("two")
    window.keyboard.press("Enter")
    expect(own(window)).to_have_text(["one two"])
    assert said() == ["one\ntwo"]


def test_enter_in_an_empty_box_does_nothing(window):
    box(window).focus()
    window.keyboard.press("Enter")
    window.keyboard.type("  ")
    window.keyboard.press("Enter")
    window.wait_for_timeout(300)
    expect(window.get_by_role("alert")).to_be_hidden()
    assert said() == []


def test_a_double_press_sends_once(window):
    box(window).fill("once only")
    window.get_by_role("button", name="Send").dblclick()
    expect(own(window)).to_have_text(["once only"])
    window.wait_for_timeout(1500)
    assert said() == ["once only"]


def test_what_was_typed_survives_a_failed_send_and_leaves_with_the_next(window):
    window.route("**/say", lambda route: route.abort())
    box(window).fill("an important text")
    window.keyboard.press("Enter")
    expect(window.get_by_role("alert")).to_have_text("Not sent, try again.")
    expect(box(window)).to_have_value("an important text")
    window.unroute("**/say")
    window.keyboard.press("Enter")
    expect(own(window)).to_have_text(["an important text"])
    expect(window.get_by_role("alert")).to_be_hidden()
    assert said() == ["an important text"]


def test_a_server_that_fails_is_no_loss_either(window):
    window.route("**/say", lambda route: route.fulfill(status=500, body="<h1>oh</h1>"))
    box(window).fill("an important text")
    window.keyboard.press("Enter")
    expect(window.get_by_role("alert")).to_have_text("Not sent, try again.")
    expect(box(window)).to_have_value("an important text")


def test_an_answer_that_was_lost_on_its_way_makes_no_second_message(window):
    def lose(route: Route) -> None:
        route.fetch()  # it arrives
        route.abort()

    window.route("**/say", lose)
    box(window).fill("did it arrive?")
    window.keyboard.press("Enter")
    expect(window.get_by_role("alert")).to_have_text("Not sent, try again.")
    window.unroute("**/say")
    window.keyboard.press("Enter")
    expect(box(window)).to_have_value("")
    expect(own(window)).to_have_text(["did it arrive?"])
    assert said() == ["did it arrive?"]


def test_what_is_typed_while_the_last_one_is_on_its_way_stays(window):
    held: list[Route] = []
    window.route("**/say", lambda route: held.append(route))  # noqa: PLW0108 - it is asked for its name
    box(window).fill("first")
    window.keyboard.press("Enter")
    expect(window.get_by_role("button", name="Sending")).to_be_visible()
    window.keyboard.type(" and next")
    window.keyboard.press("Enter")  # too early: nothing happens
    held[0].continue_()
    expect(own(window)).to_have_text(["first"])
    expect(box(window)).to_have_value(" and next")
    assert len(held) == 1


def test_too_long_a_text_is_counted_and_refused_in_words(window):
    box(window).fill("y" * 3900)
    expect(window.get_by_text("3,900 of 4,000 characters")).to_be_visible()
    box(window).fill("🙂" * 4001)
    window.keyboard.press("Enter")
    expect(window.get_by_role("alert")).to_contain_text("it has 4,001 characters")
    expect(box(window)).to_have_attribute("aria-invalid", "true")
    box(window).fill("🙂" * 4000)
    window.keyboard.press("Enter")
    expect(own(window)).to_have_count(1)


def test_a_link_that_ends_meanwhile_keeps_what_was_typed(window, channel):
    rotate(channel, by=BY, overlap=channel.lifetime * 0)
    box(window).fill("hello?")
    window.keyboard.press("Enter")
    expect(window.get_by_role("alert")).to_have_text("Not sent: this link has ended.")
    expect(box(window)).to_have_value("hello?")


def test_all_of_it_works_by_keyboard_and_for_screen_readers(window):
    window.keyboard.press("Tab")
    expect(box(window)).to_be_focused()
    window.keyboard.type("by keyboard")
    window.keyboard.press("Tab")
    expect(window.get_by_role("button", name="Send")).to_be_focused()
    window.keyboard.press("Space")
    expect(window.get_by_role("log").locator(".chat-own")).to_contain_text("by keyboard")
    expect(window.get_by_role("log").locator(".chat-own")).to_contain_text("You")
    expect(box(window)).to_have_accessible_description(
        "Enter sends, Shift+Enter begins a new line."
    )


def test_a_reader_of_old_messages_is_brought_to_what_they_write(channel, window):
    for number in range(40):
        say(channel, f"message {number:02}")
    expect(window.get_by_text("message 39")).to_be_in_viewport()
    window.mouse.wheel(0, -4000)
    expect(window.get_by_text("message 00")).to_be_in_viewport()
    box(window).fill("down here")
    window.keyboard.press("Enter")
    expect(own(window)).to_be_in_viewport()


def test_it_works_without_script(browser, url, channel, site):
    say(channel, "The mail server is down.")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url)
    box(page).fill("y" * 4001)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("it has 4,001 characters")
    assert box(page).input_value() == "y" * 4001
    box(page).fill("is it\nback yet?")
    page.get_by_role("button", name="Send").click()
    expect(own(page)).to_be_in_viewport()
    assert page.url == f"{url}#say"
    assert said() == ["is it\nback yet?"]
    page.reload()
    assert said() == ["is it\nback yet?"]
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out_and_the_newest_is_above_the_box(browser, url, channel, scheme, width):
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    for number in range(12):
        say(channel, f"message {number}")
    page.goto(url)
    box(page).fill("w" * 700)
    page.keyboard.press("Enter")
    expect(own(page)).to_be_in_viewport()
    box(page).fill("many\nlines\n" * 30)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    foot = page.locator(".chat-foot").bounding_box()
    meta = page.locator(".chat-own .chat-meta").bounding_box()
    assert foot
    assert meta
    assert meta["y"] + meta["height"] <= foot["y"], "the box hides the newest message"
    assert foot["y"] + foot["height"] <= 800
    assert foot["height"] < 500
    context.close()
