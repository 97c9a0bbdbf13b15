"""An agent at work in a real browser: typing, pressing, looking, losing the connection."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from channels_app.models import Message, Presence, Session, SessionState
from channels_app.sessions.files import LARGEST
from notifications.templating import create_template
from tests.support.composing import BY
from tests.support.console import CONSOLE
from tests.support.console_page import overflow, reply, row, said

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_what_is_typed_stays_with_its_session(customer, mara, at_desk, waiting):
    ana, _bo = waiting("Ana Ruiz", "Hello"), waiting("Bo Chen", "Hi")
    page = at_desk(mara)
    row(page, "Ana Ruiz").click()
    expect(reply(page)).to_be_focused()
    expect(row(page, "Ana Ruiz")).not_to_contain_text("unread")
    reply(page).fill("For Ana, not finished")
    row(page, "Bo Chen").click()
    expect(page.locator(".talk-head")).to_contain_text("Bo Chen")
    expect(reply(page)).to_have_value("")
    reply(page).fill("For Bo")
    customer.says(str(ana.public_id), "Are you there?")
    expect(row(page, "Ana Ruiz")).to_contain_text("1 unread")
    expect(page).to_have_title("(1) Console · Carillon")
    expect(reply(page)).to_have_value("For Bo")
    row(page, "Ana Ruiz").click()
    expect(reply(page)).to_have_value("For Ana, not finished")
    expect(row(page, "Ana Ruiz")).not_to_contain_text("unread")
    page.reload()
    expect(reply(page)).to_have_value("For Ana, not finished")
    page.go_back()
    expect(page.locator(".talk-head")).to_contain_text("Bo Chen")
    expect(reply(page)).to_have_value("For Bo")


def test_a_double_press_sends_once_and_shift_enter_breaks_the_line(mara, at_desk, waiting):
    waiting("Ana Ruiz", "Hello")
    page = at_desk(mara)
    row(page, "Ana Ruiz").click()
    reply(page).fill("Once")
    page.get_by_role("button", name="Send").dblclick()
    expect(said(page, "Once")).to_contain_text("queued")
    reply(page).press_sequentially("One")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("Two")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(said(page, "Two")).to_contain_text("queued")
    texts = Message.objects.filter(author="agent").values_list("text", flat=True)
    assert list(texts) == ["Once", "One\nTwo"]


def test_by_keyboard_alone(mara, at_desk, waiting, house):
    create_template(house, name="Outage", kind="TEXT", body="Back at @event.until.", by=BY)
    create_template(house, name="Thanks", kind="TEXT", body="Thank you.", by=BY)
    waiting("Ana Ruiz", "Hello")
    page = at_desk(mara)
    page.locator("#content-start").focus()
    for _ in range(20):
        page.keyboard.press("Tab")
        if "Ana Ruiz" in page.evaluate("document.activeElement.textContent"):
            break
    page.keyboard.press("Enter")
    expect(reply(page)).to_be_focused()
    page.keyboard.type("/")
    expect(page.get_by_role("option")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(reply(page)).to_have_value("Back at [until].")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Fill in [until] first.")).to_be_visible()
    page.keyboard.type("noon")  # over the blank, which is selected
    page.keyboard.press("Enter")
    expect(said(page, "Back at noon.")).to_be_visible()
    page.get_by_role("button", name="End session…").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This session ended")).to_be_visible()
    assert Session.objects.get().state == SessionState.ENDED


def test_focus_and_place_stay_while_the_queue_moves(customer, mara, at_desk, waiting):
    ana = waiting("Ana Ruiz", *(f"Line {number:02}" for number in range(60)))
    chidi = waiting("Chidi Obi", "Hi")
    page = at_desk(mara)
    row(page, "Ana Ruiz").click()
    expect(said(page, "Line 59")).to_be_visible()
    scroller = page.locator("#talk-scroll")
    scroller.evaluate("box => box.scrollTop = 100")
    row(page, "Chidi Obi").focus()
    waiting("Lena Vogt", "New")
    customer.says(str(ana.public_id), "Line 60")
    customer.says(str(chidi.public_id), "Still there?")
    expect(row(page, "Chidi Obi")).to_contain_text("Still there?")
    expect(row(page, "Lena Vogt")).to_be_visible()
    expect(row(page, "Chidi Obi")).to_be_focused()
    expect(page.get_by_role("button", name="New messages")).to_be_visible()
    assert scroller.evaluate("box => box.scrollTop") == 100
    page.get_by_role("button", name="New messages").click()
    expect(said(page, "Line 60")).to_be_in_viewport()


def test_a_session_that_ends_meanwhile_says_so_and_keeps_what_was_typed(
    customer, mara, at_desk, waiting
):
    ana, _bo = waiting("Ana Ruiz", "Hello"), waiting("Bo Chen", "Hi")
    page = at_desk(mara)
    row(page, "Ana Ruiz").click()
    reply(page).fill("Half a sentence")
    customer.ends(str(ana.public_id))
    expect(page.get_by_text("This session ended")).to_be_visible()
    expect(reply(page)).to_have_value("Half a sentence")
    expect(page.get_by_role("button", name="Send")).to_be_disabled()
    page.get_by_role("button", name="Join the next: Bo Chen").click()
    expect(page.locator(".talk-head")).to_contain_text("Bo Chen")
    expect(reply(page)).to_be_focused()


def test_whoever_is_slower_is_told_and_goes_on(mara, seat, at_desk, waiting):
    ines = seat("Ines", presence=Presence.AVAILABLE)
    waiting("Ana Ruiz", "Hello")
    first, second = at_desk(mara), at_desk(ines)
    expect(row(second, "Ana Ruiz")).to_be_visible()
    second.route("**/live/**", lambda route: route.abort("aborted"))  # she doesn't see it in time
    row(first, "Ana Ruiz").click()
    expect(reply(first)).to_be_visible()
    row(second, "Ana Ruiz").click()
    expect(second.get_by_text("Mara has it already.")).to_be_visible()
    expect(row(second, "Ana Ruiz")).to_have_count(0)


def test_a_transfer_without_a_choice_asks_for_one(mara, at_desk, waiting):
    waiting("Ana Ruiz", "Hello")
    page = at_desk(mara)
    row(page, "Ana Ruiz").click()
    page.get_by_role("button", name="Transfer…").click()
    expect(page.get_by_label("Outages")).to_be_visible()
    page.get_by_role("button", name="Transfer", exact=True).click()
    expect(page.get_by_text("Choose an agent or a work type.")).to_be_visible()
    page.get_by_label("Outages").check()
    page.get_by_role("button", name="Transfer", exact=True).click()
    expect(row(page, "Ana Ruiz")).to_contain_text("Outages")


def test_the_limit_is_warned_of_in_words(mara, at_desk, waiting):
    session = waiting("Ana Ruiz", "Hello")
    page = at_desk(mara)
    row(page, "Ana Ruiz").click()
    expect(page.locator("[data-limit]")).to_contain_text("in 3 h 59 min")
    warning = page.locator(".talk-limit")
    expect(warning).to_be_hidden()
    for minutes, words in (
        (14.5, "It ends by itself in 15 minutes."),
        (4.5, "Only 5 minutes left"),
    ):
        ends = timezone.now() + timedelta(minutes=minutes)
        Session.objects.filter(pk=session.pk).update(ends_at=ends)
        expect(warning).to_contain_text(words)


def test_a_file_that_is_too_large_is_not_even_sent(mara, at_desk, waiting, tmp_path):
    waiting("Ana Ruiz", "Hello")
    large = tmp_path / "film.mp4"
    large.write_bytes(b"x" * (LARGEST + 1))
    page = at_desk(mara)
    row(page, "Ana Ruiz").click()
    expect(reply(page)).to_be_focused()
    page.locator("#reply-file").set_input_files(large)
    expect(page.get_by_text("a file may have 10 MB at most.")).to_be_visible()
    expect(page.locator("#reply-chosen")).to_be_hidden()


def test_a_lost_connection_is_told_and_nothing_is_lost(
    browser: Browser, customer, mara, at_desk, waiting
):
    ana = waiting("Ana Ruiz", "Hello")
    state = at_desk(mara).context.storage_state()
    # A window whose errors are wanted.
    context = browser.new_context(base_url=customer.site, storage_state=state)
    page = context.new_page()
    page.goto(CONSOLE)
    row(page, "Ana Ruiz").click()
    expect(reply(page)).to_be_visible()
    context.set_offline(True)
    expect(page.get_by_text("Not connected, trying again")).to_be_visible()
    customer.says(str(ana.public_id), "Are you there?")
    reply(page).fill("Written in a tunnel")
    page.keyboard.press("Enter")
    expect(said(page, "Written in a tunnel")).to_contain_text("on its way")
    expect(reply(page)).to_have_value("Written in a tunnel", timeout=30_000)  # it came back
    context.set_offline(False)
    expect(said(page, "Are you there?")).to_be_visible()
    expect(page.locator("#console-line")).not_to_contain_text("Not connected")
    reply(page).press("Enter")
    expect(said(page, "Written in a tunnel")).to_contain_text("queued")
    context.close()
    assert Message.objects.filter(text="Written in a tunnel").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_works_on_a_telephone(mara, at_desk, waiting, scheme):
    long = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk" * 9
    waiting(f"Ana {long[:200]}", long)
    size = {"width": 390, "height": 780}
    page = at_desk(mara, viewport=size, color_scheme=scheme)
    wide = [overflow(page)]
    row(page, "Ana").click()
    expect(row(page, "Ana")).to_be_hidden()
    expect(said(page, long[:50])).to_be_visible()
    reply(page).fill(long)
    page.get_by_role("button", name="Send").click()
    wide.append(overflow(page))
    page.get_by_role("button", name="Contact").click()
    expect(page.get_by_role("button", name="End session…")).to_be_visible()
    wide.append(overflow(page))
    page.get_by_role("button", name="Conversation").click()
    page.get_by_role("button", name="Sessions").first.click()
    expect(row(page, "Ana")).to_be_visible()
    assert wide == [0, 0, 0]


# --- a reply whose fate is not known ------------------------------------------------------------

# What is sent arrives; the answer is lost on its way.
LOSING = """() => {
    const real = window.fetch;
    window.loses = true;
    window.fetch = async (url, options) => {
        const answer = await real(url, options);
        if (loses && String(url).endsWith("/say/")) throw new TypeError("lost");
        return answer;
    };
}"""
BILL = {"name": "bill.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 x"}


@pytest.fixture
def losing(mara, at_desk, waiting):
    """A console that joined Ana's session and loses what the server answers to replies."""
    waiting("Ana Ruiz", "Hello")
    page = at_desk(mara)
    row(page, "Ana Ruiz").click()
    expect(reply(page)).to_be_focused()
    page.evaluate(LOSING)
    return page


def send_and_lose(page: Page) -> None:
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#reply-problem")).to_be_visible(timeout=30_000)
    page.evaluate("loses = false")


def replies() -> list[tuple[str, str]]:
    ours = Message.objects.filter(author="agent").order_by("pk")
    return list(ours.values_list("text", "attachment_name"))


def test_unchanged_it_is_sent_once(losing):
    reply(losing).fill("See the bill")
    send_and_lose(losing)
    losing.get_by_role("button", name="Send").click()
    expect(reply(losing)).to_have_value("")
    expect(said(losing, "See the bill")).to_contain_text("queued")
    expect(losing.locator(".is-pending")).to_have_count(0)
    losing.wait_for_timeout(1000)
    assert replies() == [("See the bill", "")]


def test_with_a_file_added_it_is_another(losing):
    reply(losing).fill("See the bill")
    send_and_lose(losing)
    losing.locator("#reply-file").set_input_files(BILL)
    losing.get_by_role("button", name="Send").click()
    expect(losing.get_by_role("link", name="bill.pdf")).to_be_visible()
    assert replies() == [("See the bill", ""), ("See the bill", "bill.pdf")]


def test_with_a_text_instead_of_a_file_it_is_another(losing):
    losing.locator("#reply-file").set_input_files(BILL)
    send_and_lose(losing)
    losing.locator("#reply-file-none").click()
    reply(losing).fill("Your bill is above.")
    losing.get_by_role("button", name="Send").click()
    expect(said(losing, "Your bill is above.")).to_contain_text("queued")
    assert replies() == [("", "bill.pdf"), ("Your bill is above.", "")]


def test_a_file_alone_unchanged_is_sent_once(losing):
    losing.locator("#reply-file").set_input_files(BILL)
    send_and_lose(losing)
    losing.get_by_role("button", name="Send").click()
    expect(losing.locator("#reply-chosen")).to_be_hidden()
    expect(losing.get_by_role("link", name="bill.pdf")).to_be_visible()
    losing.wait_for_timeout(1000)
    assert replies() == [("", "bill.pdf")]


def test_what_was_on_its_way_at_a_reload_comes_back_in_its_order(mara, at_desk, waiting):
    waiting("Ana Ruiz", "Hello")
    page = at_desk(mara)
    row(page, "Ana Ruiz").click()
    page.route("**/say/", lambda route: None)  # never answered
    for text in ("one", "two", "three"):
        reply(page).fill(text)
        page.keyboard.press("Enter")
    page.reload()
    expect(reply(page)).to_have_value("one\ntwo\nthree")
