"""The main job, in real browsers with real workers: composed, sent, followed, read, found."""

import re

import pytest
from django.conf import settings
from django_q.brokers import get_broker
from playwright.sync_api import Page, expect

from channels_app.chat_links import chat_url
from channels_app.models import Channel, ChatMessage, Delivery
from notifications.models import Notification, Stage
from notifications.templating import create_template
from tests.support.composing import ADD, BY, LIST, page_of
from tests.support.workers import wait_for, workers

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.django_db(transaction=True)]

END = 60_000  # milliseconds that workers get, on a machine with other things to do


@pytest.fixture
def mara(make_user):
    return make_user("Administrator", username="mara", recipient_login="ana@acme.example")


@pytest.fixture
def work(tmp_path):
    """Real workers, for as long as the block lasts."""
    return lambda: workers(tmp_path / "workers.log")


def write(page: Page, text: str) -> None:
    page.goto(ADD)
    page.get_by_label("Message").fill(text)


def test_compose_send_follow_read_and_find(browse, make_user, mara, chat: Channel, work):
    page = browse(mara)
    page.goto(ADD)
    page.get_by_text("Everyone").click()
    expect(page.locator("#who-count")).to_have_text("30 people")
    page.get_by_label("Message").fill(
        "Hello @recipient.first_name, the water is off until @event.until."
    )
    page.get_by_label("@event.until").fill("noon")
    expect(page.locator("#preview")).to_contain_text("Hello Ana, the water is off until noon.")
    expect(page.locator("#content-notes")).to_contain_text("All variables are known.")
    page.get_by_role("button", name="Send to 30 people").click()
    expect(page.locator("#stage")).to_have_text("scheduled")

    with work():
        expect(page.locator("#stage")).to_have_text("done", timeout=END)
    expect(page.locator("#progress")).to_contain_text("30 = 30 ✓ balanced")
    expect(page.locator("#progress .legend")).to_have_text(re.compile(r"^\s*sent 30\s*$"))
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)

    window = browse()  # Ana has no login: her link opens her window
    window.goto(chat_url(chat, "ana@acme.example"))
    expect(window.get_by_text("Hello Ana, the water is off until noon.")).to_be_visible()

    auditor = browse(make_user("Auditor"))
    auditor.goto(page_of(Notification.objects.get()))
    auditor.get_by_role("link", name="see the log").click()
    expect(auditor.get_by_role("cell", name="ana@acme.example")).to_be_visible()
    expect(auditor.locator("#content")).to_contain_text("30")
    assert Delivery.objects.count() == ChatMessage.objects.count() == 30


def test_a_composer_asks_an_approver_agrees_and_it_leaves(browse, make_user, chat, work):
    composer = browse(make_user("Composer", username="carl"))
    write(composer, "The office stays closed.")
    composer.get_by_text("Role-4 (-4)").click()
    expect(composer.locator("#who-count")).to_have_text("15 people")
    composer.get_by_role("button", name="Ask for approval").click()
    expect(composer.get_by_text("An approver looks at it next.")).to_be_visible()

    approver = browse(make_user("Approver", username="ines"))
    approver.goto(LIST)
    approver.get_by_role("link", name="The office stays closed").click()
    approver.get_by_text("Give it back…").click()
    approver.get_by_label("What should change?").fill("Until when?")
    approver.get_by_role("button", name="Give it back to carl").click()

    composer.reload()
    expect(composer.get_by_text("Until when?")).to_be_visible()
    composer.get_by_label("Message").fill("The office stays closed until Monday.")
    composer.get_by_role("button", name="Ask for approval").click()

    approver.reload()
    expect(approver.locator("#sample")).to_contain_text("The office stays closed until Monday.")
    approver.get_by_role("button", name="Approve and send to 15 people").click()
    with work():
        expect(approver.locator("#stage")).to_have_text("done", timeout=END)
    assert {message.payload["text"] for message in ChatMessage.objects.all()} == {
        "The office stays closed until Monday."
    }


def test_a_stopped_one_sends_nothing_and_the_page_says_so(browse, mara, chat, work):
    page = browse(mara)
    write(page, "Never mind")
    page.get_by_text("Everyone").click()
    page.get_by_role("button", name="Send to 30 people").click()
    page.get_by_role("button", name="Stop it").click()
    expect(page.get_by_text("This can't be undone")).to_be_visible()
    page.get_by_role("button", name="Yes, stop").click()
    expect(page.locator("#stage")).to_have_text("cancelled")
    with work():
        wait_for(
            lambda: not waiting_hints(), seconds=END / 1000, what="the workers to take their hints"
        )
    page.reload()
    expect(page.get_by_text("It was put away before anything left.")).to_be_visible()
    assert not Delivery.objects.exists()


def waiting_hints() -> bool:
    return bool(get_broker().queue_size())


def test_a_double_click_and_the_way_back_send_once(browse, mara, chat):
    page = browse(mara)
    write(page, "Once only")
    page.get_by_text("Everyone").click()
    page.get_by_role("button", name="Send to 30 people").dblclick()
    expect(page.locator("#stage")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("button", name="Save draft")).to_be_visible()
    # The form is empty again, or it is the one that was sent, which sends nothing more.
    if page.get_by_label("Message").input_value():
        page.get_by_role("button", name="Send to 30 people").click()
        expect(page.locator("#stage")).to_be_visible()
    assert Notification.objects.count() == 1


def test_people_are_found_added_pasted_and_left_out(browse, mara, chat):
    page = browse(mara)
    page.goto(ADD)
    page.get_by_label("Add people by name or login").press_sequentially("ana r")
    page.get_by_role("button", name="Ana Ruiz ana@acme.example").wait_for()
    page.keyboard.press("Enter")
    expect(page.locator("#who-count")).to_have_text("1 person")
    expect(page.locator("#find")).to_be_focused()
    page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.setData("text/plain", "p01@acme.example\\np02@acme.example, who@x.example");
            const how = { clipboardData: data, bubbles: true, cancelable: true };
            const paste = new ClipboardEvent("paste", how);
            document.getElementById("find").dispatchEvent(paste);
        }"""
    )
    expect(page.locator("#who-count")).to_have_text("3 people")
    expect(page.locator(".chip-unknown")).to_contain_text("who@x.example")
    page.get_by_role("button", name="Leave out who@x.example").click()
    expect(page.locator(".chip-unknown")).to_have_count(0)


def test_a_template_a_value_and_a_variable_by_click(browse, mara, house, chat):
    create_template(house, name="Outage", kind="TEXT", body="Down until @event.until", by=BY)
    page = browse(mara)
    page.goto(ADD)
    page.get_by_text("Card", exact=True).click()
    page.get_by_label("Template").select_option(label="Outage · v1")
    expect(page.get_by_label("Text", exact=True)).to_be_checked()  # the kind follows the template
    page.get_by_label("@event.until").fill("noon")
    expect(page.locator("#preview")).to_contain_text("Down until noon")
    page.get_by_label("Template").select_option(label="None: own words")
    page.get_by_label("Message").fill("Dear ")
    page.get_by_text("Insert a variable").click()
    page.get_by_role("button", name="@recipient.name", exact=True).click()
    expect(page.get_by_label("Message")).to_have_value("Dear @recipient.name")
    expect(page.locator("#preview")).to_contain_text("Dear Ana Example")


def test_enter_in_a_field_sends_nothing(browse, mara, chat):
    page = browse(mara)
    write(page, "Not yet")
    page.get_by_text("Everyone").click()
    page.get_by_label("Title", exact=True).fill("A title")
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert page.url.endswith(ADD)
    assert not Notification.objects.exists()


def test_what_was_typed_comes_back_after_the_session_ended(browse, mara, chat):
    page = browse(mara)
    write(page, "A long and careful text")
    page.get_by_text("Everyone").click()
    cookies = page.context.cookies()
    page.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    page.get_by_role("button", name="Save draft").click()
    page.wait_for_url("**/login/**")
    page.context.add_cookies(cookies)
    page.goto(ADD)
    page.get_by_role("button", name="Bring it back").click()
    expect(page.get_by_label("Message")).to_have_value("A long and careful text")
    expect(page.locator("#who-count")).to_have_text("30 people")
    page.get_by_role("button", name="Save draft").click()
    expect(page.locator("#stage, .state-draft").first).to_be_visible()
    page.goto(ADD)
    expect(page.get_by_text("Bring it back")).to_be_hidden()
    assert Notification.objects.get().stage == Stage.DRAFT


def test_all_of_it_works_without_script(browse, mara, chat):
    page = browse(mara, java_script_enabled=False)
    write(page, "Plain and simple")
    page.get_by_text("Everyone").click()
    page.get_by_role("button", name="Check").last.click()
    expect(page.locator("#who-count")).to_have_text("30 people")
    expect(page.locator("#preview")).to_contain_text("Plain and simple")
    page.get_by_role("button", name="Send to 30 people").click()
    expect(page.locator("#stage")).to_have_text("scheduled")
    assert Notification.objects.get().approved_count == 30


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_scrolls_sideways(browse, mara, chat, width):
    page = browse(mara, viewport={"width": width, "height": 800})
    long = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3
    write(page, long)
    page.get_by_text("Everyone").click()
    page.get_by_text("Repeat").click()
    expect(page.locator("#preview")).to_contain_text(long[:60])
    expect(page.locator("#title-help")).to_contain_text(long[:50])
    widths = [overflow(page)]
    page.get_by_label("Title", exact=True).fill(long[:150])
    expect(page.locator("#title-help")).not_to_contain_text(long[:50])
    widths.append(overflow(page))
    page.get_by_role("button", name="Schedule for 30 people").click()
    expect(page.locator("#stage")).to_have_text("repeating")
    widths.append(overflow(page))
    page.get_by_role("link", name="see all").click()
    page.wait_for_url("**/people/**")
    widths.append(overflow(page))
    page.goto(LIST)
    widths.append(overflow(page))
    assert widths == [0] * 5


def overflow(page: Page) -> int:
    hidden = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    return int(page.evaluate(hidden))
