"""The sections of the console, as the top bar shows them to one person."""

from dataclasses import dataclass, replace

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from project.access.models import User

LIST = "changelist"


@dataclass(frozen=True, slots=True)
class Page:
    """One admin page behind a link; ``model`` is “app_model”, as admin URL names have it.

    ``also`` is how other URL names begin that belong to the page.
    """

    label: str
    model: str
    verb: str = LIST
    permission: str = ""
    also: str = ""
    url: str = ""
    is_current: bool = False

    @property
    def needs(self) -> str:
        app, model = self.model.rsplit("_", 1)
        return self.permission or f"{app}.view_{model}"


@dataclass(frozen=True, slots=True)
class Section:
    label: str
    pages: tuple[Page, ...]

    @property
    def url(self) -> str:
        return self.pages[0].url

    @property
    def is_current(self) -> bool:
        return any(page.is_current for page in self.pages)


COMPOSE = Page("Compose", "notifications_notification", "add", "notifications.add_notification")
SECTIONS = (
    Section("Compose", (COMPOSE,)),
    Section("Notifications", (Page("Notifications", "notifications_notification"),)),
    Section("Delivery log", (Page("Delivery log", "channels_app_delivery"),)),
    Section(
        "Sessions",
        (
            Page("Console", "channels_app_session", "console", "channels_app.answer_session"),
            Page("All sessions", "channels_app_session"),
            Page("Work types", "channels_app_worktype"),
            Page("Agents", "channels_app_agent"),
            Page("Events from vendors", "channels_app_inboundevent"),
        ),
    ),
    Section(
        "People", (Page("People", "notifications_recipient"), Page("Roles", "notifications_role"))
    ),
    Section("Templates", (Page("Templates", "notifications_template"),)),
    Section("Channels", (Page("Channels", "channels_app_channel"),)),
    Section(
        "Access",
        (
            Page("Users", "access_user", also="auth_user_"),
            Page("API clients", "access_apiclient"),
            Page("Tenant", "access_tenant"),
            Page("Audit trail", "access_auditentry"),
            Page("Locked sign-ins", "axes_accessattempt"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[Section]:
    """Return what this person may open, with the page being shown marked."""
    if not isinstance(request.user, User):
        return []
    match = request.resolver_match
    here = (match.url_name or "") if match else ""
    found = []
    for section in SECTIONS:
        pages = tuple(
            replace(page, url=url, is_current=_shows(page, here))
            for page in section.pages
            if request.user.has_perm(page.needs) and (url := _url(page))
        )
        if pages:
            found.append(replace(section, pages=pages))
    return found


def _url(page: Page) -> str:
    """Return the page's address, or nothing while its model has no admin pages."""
    try:
        return reverse(f"admin:{page.model}_{page.verb}")
    except NoReverseMatch:
        return ""


def _shows(page: Page, here: str) -> bool:
    """A page beside a list is shown by its own URL name; all other names are the list's."""
    if page.verb != LIST:
        return _is_beside(page, here)
    if any(_is_beside(other, here) for section in SECTIONS for other in section.pages):
        return False
    return here.startswith((f"{page.model}_", page.also or f"{page.model}_"))


def _is_beside(page: Page, here: str) -> bool:
    return page.verb != LIST and here == f"{page.model}_{page.verb}"
