from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page

from project.access.models import User


@pytest.fixture
def sign_in() -> Callable[[User], Client]:
    """A browser in which this person is signed in."""

    def browser(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return browser


@pytest.fixture
def superuser(db: None) -> User:
    """The installation's superuser, who belongs to no tenant."""
    return User.objects.create_superuser("root", password="a quiet morning")


@pytest.fixture
def window(
    browser: Browser, live_server, sign_in: Callable[[User], Client]
) -> Iterator[Callable[..., Page]]:
    """A real browser window in which this person is signed in."""
    contexts: list[BrowserContext] = []

    def open_window(user: User | None, *, width: int = 1280, **options) -> Page:
        context = browser.new_context(
            base_url=live_server.url, viewport={"width": width, "height": 800}, **options
        )
        contexts.append(context)
        if user is not None:
            name = settings.SESSION_COOKIE_NAME
            value = sign_in(user).cookies[name].value
            context.add_cookies([{"name": name, "value": value, "url": live_server.url}])
        return context.new_page()

    yield open_window
    for context in contexts:
        context.close()
