"""The compose page's form: what a person typed becomes a `Draft`."""

from collections.abc import Mapping, Sized
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.http import QueryDict

from channels_app.models import Channel, Priority
from notifications.audience import CONTACTS_MAX, Audience
from notifications.drafts import (
    EVENT_VALUES_MAX,
    MESSAGE_MAX,
    REPEAT_MAX,
    TITLE_MAX,
    TOO_MANY_NAMED,
    Draft,
)
from notifications.forms.content import Words, rows_of
from notifications.forms.timing import (
    PASSED,
    PRESETS,
    REPEATS,
    has_passed,
    read_local,
)
from notifications.forms.typed import EVENT, logins
from notifications.models import ContentType, Role, TemplateVersion
from notifications.text.variables import is_name, length
from project.access.models import Tenant
from project.access.models.tenant import known_zone

WHENS = (("now", "Now"), ("later", "Later"), ("repeat", "Repeat"))


class PlainText(forms.CharField):
    """Keeps a text as it was typed, with the line ends of everywhere but a browser."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, required=False, **{"max_length": MESSAGE_MAX, **kwargs})

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value)).replace("\r\n", "\n").replace("\r", "\n")


class LengthAsRead(MaxLengthValidator):
    def clean(self, x: Sized) -> int:
        return length(str(x))


class VariableText(PlainText):
    """May hold variables, so its length is measured as that of a draft's body."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=None, validators=[LengthAsRead(MESSAGE_MAX)], **kwargs)


class ComposeForm(forms.Form):
    """Always bound: the first look is at what a draft would have had typed (`typed`).

    ``draft`` is there even where fields are wrong; those count as left empty.
    """

    key = forms.CharField(max_length=64, required=False)
    seen = forms.CharField(max_length=64, required=False)
    everyone = forms.BooleanField(required=False)
    roles = forms.TypedMultipleChoiceField(coerce=int, required=False)
    contacts = forms.CharField(required=False, max_length=CONTACTS_MAX * 260)
    narrow = forms.BooleanField(required=False)
    find = forms.CharField(required=False, max_length=2000)

    title = forms.CharField(max_length=TITLE_MAX, required=False)
    kind = forms.ChoiceField(choices=ContentType.choices, required=False)
    template = forms.ModelChoiceField(TemplateVersion.objects.none(), required=False)
    text = VariableText()
    card_title = forms.CharField(required=False, max_length=MESSAGE_MAX)
    image = forms.CharField(required=False, max_length=MESSAGE_MAX)
    source = VariableText()
    as_json = forms.BooleanField(required=False)
    message = PlainText()

    channel = forms.ModelChoiceField(Channel.objects.none(), required=False)
    priority = forms.TypedChoiceField(
        choices=Priority.choices, coerce=int, required=False, empty_value=None
    )
    when = forms.ChoiceField(choices=WHENS, required=False)
    send_at = forms.CharField(required=False, max_length=40)
    repeat = forms.ChoiceField(choices=REPEATS, required=False)
    rule = forms.CharField(required=False, max_length=REPEAT_MAX)
    time_zone = forms.CharField(required=False, max_length=64, validators=[known_zone])

    preview_as = forms.CharField(required=False, max_length=254)
    preview_tab = forms.CharField(required=False, max_length=10)
    test_to = forms.CharField(required=False, max_length=254)

    def __init__(self, data: QueryDict, *, tenant: Tenant) -> None:
        super().__init__(data)
        self.typed = data
        self.tenant = tenant
        self.said: list[str] = []  # why what was asked for was not done
        roles, channels, templates = (
            self.fields["roles"],
            self.fields["channel"],
            self.fields["template"],
        )
        roles.choices = [(r.code, str(r)) for r in Role.objects.filter(tenant=tenant)]  # type: ignore[attr-defined]
        channels.queryset = Channel.objects.of(tenant).for_people()  # type: ignore[attr-defined]
        templates.queryset = TemplateVersion.objects.filter(  # type: ignore[attr-defined]
            template__tenant=tenant
        ).select_related("template")

    # --- reading --------------------------------------------------------------------------------

    def clean_contacts(self) -> tuple[str, ...]:
        """Refuse here what is too long: who draws the page would look all of them up."""
        found = logins(self.cleaned_data["contacts"])
        if len(found) <= CONTACTS_MAX:
            return found
        if self.cleaned_data.get("everyone"):
            return ()  # it means nothing then
        raise ValidationError(TOO_MANY_NAMED)

    def clean_send_at(self) -> datetime | None:
        text = self.cleaned_data["send_at"].strip()
        if self.data.get("when") not in ("later", "repeat"):
            return None
        return read_local(text, self.zone) if text else None

    @property
    def zone(self) -> ZoneInfo:
        """The zone of its times: the tenant's, unless a draft was made with another."""
        name = self.data.get("time_zone", "")
        try:
            known_zone(name)
        except ValidationError:
            return self.tenant.zone
        return ZoneInfo(name)

    @property
    def chosen_when(self) -> str:
        return str(self._given("when") or "now")

    @cached_property
    def chosen_kind(self) -> str:
        template = self._given("template")
        return str(template.template.kind if template else self._given("kind") or ContentType.TEXT)

    @cached_property
    def words(self) -> Words:
        shown_as_json = self.data.get("json_shown") == "1"
        words = Words(
            text=self._typed("text"),
            title=self._typed("card_title"),
            image=self._typed("image"),
            actions=rows_of(self._list("action_title"), self._list("action_url")),
            as_json=shown_as_json,
            source=self._typed("source"),
        )
        return words.switched(self.chosen_kind, as_json=bool(self._given("as_json")))

    @cached_property
    def event(self) -> dict[str, str]:
        """All values that were typed, those of variables that are gone from the text too."""
        typed = {
            name.removeprefix(EVENT): str(self.data[name]).replace("\0", "")[:MESSAGE_MAX]
            for name in self.data
            if name.startswith(EVENT) and is_name(name.removeprefix(EVENT))
        }
        return dict(list(typed.items())[:EVENT_VALUES_MAX])

    @cached_property
    def draft(self) -> Draft:
        """What was decided, with the values of those variables only that the words name."""
        priority = self._given("priority")
        draft = Draft(
            audience=self.audience,
            title=(self._given("title") or "").strip(),
            kind=self.chosen_kind,
            template=self._given("template"),
            body="" if self._given("template") else self.words.body(self.chosen_kind),
            message=self._given("message") or "",
            channel=self._given("channel"),
            priority=Priority.NORMAL if priority is None else priority,
            send_at=self._given("send_at"),
            repeat=self._rule(),
            time_zone=self.zone.key,
        )
        used = used_names(draft)
        event = {name: value for name, value in self.event.items() if name in used and value}
        return replace(draft, event=event)

    @cached_property
    def audience(self) -> Audience:
        if self._given("everyone"):
            return Audience(everyone=True)
        if "contacts" in self.errors:
            return Audience()  # the roles alone may be more than was meant, or others
        roles = tuple(self._given("roles") or ())
        narrow = bool(self._given("narrow") and self.named and roles)
        return Audience(contacts=self.named, roles=roles, narrow=narrow)

    @cached_property
    def named(self) -> tuple[str, ...]:
        """The logins in the list, also where “everyone” outweighs them."""
        return self._given("contacts") or ()

    def _rule(self) -> str:
        if self.chosen_when != "repeat":
            return ""
        preset = self._given("repeat") or "daily"
        return PRESETS.get(preset) or str(self._given("rule") or "").strip()

    def _given(self, name: str) -> Any:
        self.errors  # noqa: B018 - reads the fields on first call
        return self.cleaned_data.get(name)

    def _typed(self, name: str) -> str:
        """A text as it stands in the page, too long or not, so that it is shown again."""
        return str(self.data.get(name, "")).replace("\r\n", "\n").replace("\0", "")

    def _list(self, name: str) -> list[str]:
        return [str(value).replace("\0", "") for value in self.typed.getlist(name)]

    # --- judging --------------------------------------------------------------------------------

    def lacks(self, now: datetime) -> dict[str, list[str]]:
        """Return what the form itself misses in a message that is to leave."""
        found: dict[str, list[str]] = {}
        send_at = self._given("send_at")
        if self.chosen_when != "now" and "send_at" not in self.errors:
            if send_at is None:
                found["send_at"] = ["Choose a date and time."]
            elif self.chosen_when == "later" and has_passed(send_at, now):
                found["send_at"] = [PASSED]
        if self.chosen_when == "repeat" and not self._rule() and "rule" not in self.errors:
            found["repeat"] = ["Write a rule, or choose how often."]
        if left := (self._given("find") or "").strip():
            found["find"] = [f"“{left[:60]}” still stands in the search field: add it or clear it."]
        return found

    def refuse(self, errors: Mapping[str, list[str]]) -> None:
        """Show why it could not be done, beside the fields and above them."""
        for name, texts in errors.items():
            field = _FIELDS.get(name, name)
            if field in self.fields:
                self.add_error(field, [ValidationError(text) for text in texts])
            self.said.extend(texts)

    @property
    def problems(self) -> list[str]:
        """All that is said above the form: what fields refused, and what the message lacks."""
        own = [
            f"{LABELS[name]}: {text}"
            for name, texts in self.errors.items()
            for text in texts
            if text not in self.said
        ]
        return [*own, *dict.fromkeys(self.said)]


LABELS = {
    "key": "Form",
    "seen": "Form",
    "everyone": "Everyone",
    "roles": "Roles",
    "contacts": "People",
    "narrow": "People",
    "find": "Search",
    "title": "Title",
    "kind": "Kind",
    "template": "Template",
    "text": "Message",
    "card_title": "Card title",
    "image": "Image URL",
    "source": "JSON",
    "as_json": "JSON",
    "message": "Message",
    "channel": "Channel",
    "priority": "Priority",
    "when": "When",
    "send_at": "Send at",
    "repeat": "Repeat",
    "rule": "Rule",
    "time_zone": "Time zone",
    "preview_as": "Preview",
    "preview_tab": "Preview",
    "test_to": "Test",
}
_FIELDS = {"audience": "contacts", "repeat": "rule"}  # what is said of the words stands by them


def used_names(draft: Draft) -> set[str]:
    """The names of the ``event`` values that the draft's words ask for; none while unreadable."""
    try:
        variables = draft.source().variables
    except ValueError:
        return set()
    return {name.removeprefix(EVENT) for name in variables if name.startswith(EVENT)}
