"""People with browsers of their own, in one house."""

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from channels_app.models import Channel
from project.access.models import Tenant, User
from tests.support.channels import make_channel
from tests.support.composing import person


@pytest.fixture
def house(transactional_db, tenant: Tenant) -> Tenant:
    """Thirty people: Ana and 14 others hold -4."""
    person(tenant, "ana@acme.example", -4, name="Ana Ruiz")
    for number in range(1, 30):
        person(tenant, f"p{number:02}@acme.example", *([-4] if number < 15 else []))
    return tenant


@pytest.fixture
def chat(house: Tenant) -> Channel:
    return make_channel(house, "chat", name="Chat", is_default=True)


@pytest.fixture
def browse(browser: Browser, site: str) -> Iterator[Callable[..., Page]]:
    """A new window, signed in as this person, or as nobody.

    What a page complains about fails the test: errors in scripts, what the policy refused.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def window(user: User | None = None, **options) -> Page:
        context = browser.new_context(base_url=site, **options)
        contexts.append(context)
        if user is not None:
            client = Client()
            client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
            name = settings.SESSION_COOKIE_NAME
            context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": site}])
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if _tells(line) else None)
        return page

    yield window
    for context in contexts:
        context.close()
    assert complaints == []


def _tells(line: ConsoleMessage) -> bool:
    """Whether it is an error. A look that is cut off by going to another page is none."""
    cut_off = line.text.startswith(("htmx:sendAbort", "htmx:afterRequest"))
    return line.type == "error" and not cut_off
