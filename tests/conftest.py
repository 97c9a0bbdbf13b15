import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.test import Client
from playwright.sync_api import expect

from project import hints
from project.access.models import Tenant, User

# Playwright's plain API runs an event loop in the test's thread, and Django would refuse to query.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
REQUIRE_ALL = os.environ.get("CARILLON_REQUIRE_ALL") == "1"


# --- what this machine can run ------------------------------------------------------------------
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = {}
    if CHROMIUM is None:
        missing["browser"] = "no Chromium found (CHROMIUM names one)"
    if django_settings.SQLITE:
        missing["postgres"] = "DATABASE_URL names no PostgreSQL"
    if not django_settings.REDIS_URL:
        missing["redis"] = "REDIS_URL is not set"
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
        for marker, reason in missing.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if REQUIRE_ALL and _skipped(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if REQUIRE_ALL and (skipped := _skipped(config)):
        terminalreporter.section("skipped, and CARILLON_REQUIRE_ALL=1")
        for report in skipped:
            terminalreporter.line(report.nodeid, red=True)


def _skipped(config: pytest.Config) -> list[Any]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return reporter.stats.get("skipped", []) if reporter else []


# --- caches and queues --------------------------------------------------------------------------
@pytest.fixture(autouse=True)
def _clean_cache() -> Iterator[None]:
    _forget()
    yield
    if django_settings.REDIS_URL:
        _forget()


def _forget() -> None:
    """Empty the tests' part of the cache and of the queue; Redis may hold others' as well."""
    hints.forget()  # a hint that an earlier test gave is in no queue any more
    if not django_settings.REDIS_URL:
        cache.clear()
        return
    import redis

    with redis.from_url(django_settings.REDIS_URL) as server:
        if keys := list(server.scan_iter(f"*{django_settings.INSTALLATION}*", count=1000)):
            server.unlink(*keys)


# --- a real browser -----------------------------------------------------------------------------
expect.set_options(timeout=20_000)  # milliseconds; a busy machine is no reason to fail


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    quiet = ("background-networking", "component-update", "quic", "sync")
    return {
        **browser_type_launch_args,
        "executable_path": CHROMIUM,
        "args": [
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            *(f"--disable-{part}" for part in quiet),
        ],
    }


@pytest.fixture(scope="session")
def base_url(live_server: Any) -> str:
    """Where ``page.goto("/admin/")`` goes."""
    return str(live_server.url)


@pytest.fixture
def site(live_server: Any, settings: Any) -> str:
    """The address of a live server whose links lead to itself."""
    settings.BASE_URL = str(live_server.url)
    settings.CSRF_TRUSTED_ORIGINS = [settings.BASE_URL]
    return str(live_server.url)


# --- people -------------------------------------------------------------------------------------
@pytest.fixture
def tenant(db: None) -> Tenant:
    return Tenant.objects.create(name="Acme Utilities", time_zone="Europe/Madrid")


@pytest.fixture
def other_tenant(db: None) -> Tenant:
    return Tenant.objects.create(name="Other House")


@pytest.fixture
def make_user(tenant: Tenant) -> Callable[..., User]:
    """Make a person who signs in: ``make_user("Auditor")``, in the first tenant by default."""

    def make(group: str = "", *, of: Tenant | None = None, **fields) -> User:
        number = User.objects.count() + 1
        user = User.objects.create_user(
            username=fields.pop("username", f"{group.lower() or 'user'}{number}"),
            password=fields.pop("password", "a quiet morning"),
            tenant=of or tenant,
            is_staff=True,
            **fields,
        )
        if group:
            user.groups.add(Group.objects.get_or_create(name=group)[0])
        return user

    return make


@pytest.fixture
def client_as(make_user: Callable[..., User]) -> Callable[..., Client]:
    """A signed-in browser: ``client_as("Operator")``."""

    def sign_in(group: str, **fields) -> Client:
        client = Client()
        client.force_login(
            make_user(group, **fields), backend="django.contrib.auth.backends.ModelBackend"
        )
        return client

    return sign_in
