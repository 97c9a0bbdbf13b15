"""The compose page: each part is worked out when a template asks for it, and only then."""

from functools import cached_property
from typing import Any

from django.utils import timezone

from channels_app.models import Channel, Priority
from notifications.approval import short
from notifications.composing import digest_if_kept, problems
from notifications.drafts import title_of
from notifications.forms.compose import WHENS, ComposeForm
from notifications.forms.timing import REPEATS
from notifications.models import ContentType, Notification, Recipient, Role
from notifications.pages.preview import TABS, Preview, first_of, preview
from notifications.pages.story import returned
from notifications.pages.what import (
    What,
    filters_offered,
    template_groups,
    variables_offered,
)
from notifications.pages.when import When
from notifications.pages.who import Who, person
from project.access.models import AuditEntry, Tenant, User

# What concerns the people; everything else concerns the message.
OF_PEOPLE = ("audience", "channel")
TABS_MOST = 5  # channels drawn side by side; more become a list


class Page:
    kinds = ContentType.choices
    whens = WHENS
    repeats = REPEATS
    priorities = Priority.choices
    tabs = TABS

    def __init__(
        self, form: ComposeForm, tenant: Tenant, user: User, notification: Notification | None
    ) -> None:
        self.form = form
        self.tenant = tenant
        self.user = user
        self.notification = notification
        self.now = timezone.now()

    # --- the cards ------------------------------------------------------------------------------

    @cached_property
    def who(self) -> Who:
        return Who.of(self.form.draft, self.form.named, self.tenant)

    @cached_property
    def what(self) -> What:
        return What.of(self.form, self.tenant)

    @cached_property
    def person(self) -> Recipient | None:
        """Whom the preview is drawn for."""
        chosen = person(self.tenant, self.form.cleaned_data.get("preview_as", ""))
        return chosen or first_of(self.form.draft, self.tenant)

    @cached_property
    def when(self) -> When:
        return When.of(self.form.draft, self.tenant, self.person, self.now)

    @cached_property
    def preview(self) -> Preview:
        dates = self.when.dates
        return preview(
            self.form.draft, self.tenant, self.person, dates[0].ours if dates else self.now
        )

    # --- before it goes -------------------------------------------------------------------------

    @cached_property
    def _problems(self) -> dict[str, list[str]]:
        return {**problems(self.form.draft, self.tenant), **self.form.lacks(self.now)}

    @property
    def people_problems(self) -> list[str]:
        refused = self.form.errors.get("contacts", ())
        names = ("channel",) if self.form.draft.audience.is_empty else OF_PEOPLE
        found = [text for name in names for text in self._problems.get(name, ())]
        return list(dict.fromkeys([*map(str, refused), *found]))

    @property
    def message_problems(self) -> list[str]:
        """What is to be done yet; what is wrong with the words stands beside them."""
        said = {*OF_PEOPLE, "event"}
        if self.what.is_empty or self.what.problems:
            said |= {"body", "template"}
        return [
            text for name, texts in self._problems.items() for text in texts if name not in said
        ]

    @property
    def digest(self) -> str:
        return short(digest_if_kept(self.form.draft, self.tenant))

    @property
    def title_guessed(self) -> str:
        return title_of(self.form.draft)

    @property
    def returned(self) -> AuditEntry | None:
        """When and why an approver gave this draft back."""
        return returned(self.notification) if self.notification else None

    # --- choices --------------------------------------------------------------------------------

    @cached_property
    def roles(self) -> list[Role]:
        return list(Role.objects.filter(tenant=self.tenant))

    @cached_property
    def channels(self) -> list[Channel]:
        return list(Channel.objects.of(self.tenant).for_people())

    @property
    def channels_as_tabs(self) -> bool:
        return len(self.channels) <= TABS_MOST

    @cached_property
    def template_groups(self) -> list[dict[str, Any]]:
        return template_groups(self.tenant, self.form.draft.template)

    @property
    def variables(self) -> list[tuple[str, str]]:
        return variables_offered()

    @property
    def filters(self) -> list[str]:
        return filters_offered()

    # --- as the inputs show them ----------------------------------------------------------------

    @property
    def chosen_roles(self) -> list[str]:
        return self.form.typed.getlist("roles")

    @property
    def preview_tab(self) -> str:
        tab = self.form.cleaned_data.get("preview_tab", "")
        return tab if tab in dict(TABS) else TABS[0][0]

    @property
    def test_person(self) -> Recipient | None:
        """Who “me” is among the recipients."""
        return person(self.tenant, self.user.recipient_login)
