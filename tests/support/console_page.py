"""The console in a browser: where its parts are found."""

from playwright.sync_api import Locator, Page

END = 60_000  # milliseconds that workers get, on a machine with other things to do
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63"
    "f8cfc0f01f0005050102d3f5cf0d0000000049454e44ae426082"
)


def row(page: Page, name: str) -> Locator:
    return page.locator(".queue-row", has_text=name)


def reply(page: Page) -> Locator:
    return page.get_by_label("Reply", exact=True)


def said(page: Page, text: str) -> Locator:
    return page.locator("#messages .utterance", has_text=text)


def overflow(page: Page) -> int:
    hidden = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    return int(page.evaluate(hidden))
