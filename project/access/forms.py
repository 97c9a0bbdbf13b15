"""The forms of the access pages."""

import re
from datetime import timedelta
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AdminPasswordChangeForm, BaseUserCreationForm
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Model

from project.access.groups import GROUPS
from project.access.models import ApiClient, Tenant, User
from project.access.models.client import Scope

WHAT_GROUPS_DO = {
    "Administrator": "everything in this tenant, and who may do what",
    "Composer": "writes notifications and templates; an approver sends them",
    "Approver": "reads what was composed, approves and stops it",
    "Operator": "retries, cancels and replays deliveries; stops what is being sent",
    "Agent": "answers sessions; looks up people and templates",
    "Auditor": "reads everything, changes nothing",
}
# A BCP 47 tag's shape: language, then script, region and variants.
LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


@cache
def zone_choices() -> list[tuple[str, str]]:
    zones = sorted(zone for zone in available_timezones() if "/" in zone and "Etc" not in zone)
    return [("UTC", "UTC"), *((zone, zone.replace("_", " ")) for zone in zones)]


def offer_zones(form: forms.ModelForm[Any], *, empty: str | None) -> None:
    """Turn the form's time zone into a list; a zone of an older spelling stays on offer."""
    field = form.fields.get("time_zone")
    if field is None:
        return
    kept = form.instance.time_zone
    choices = zone_choices()
    if kept and kept not in dict(choices):
        choices = [(kept, kept), *choices]
    if empty is not None:
        choices = [("", empty), *choices]
    form.fields["time_zone"] = forms.ChoiceField(
        choices=choices, required=field.required, help_text=field.help_text
    )


class GroupsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """The groups kept in code, each with what it is for; no other group can be given."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            Group.objects.filter(name__in=GROUPS).order_by("pk"),
            widget=forms.CheckboxSelectMultiple,
            required=False,
            **kwargs,
        )

    def label_from_instance(self, obj: Model) -> str:
        return f"{obj} · {WHAT_GROUPS_DO.get(str(obj), '')}"


class AccountForm(forms.ModelForm[User]):
    """A person's account as an Administrator sees it."""

    groups = GroupsField()

    class Meta:
        model = User
        fields = ["username", "first_name", "last_name", "email", "is_active", "groups"]
        help_texts = {
            "username": "Letters, digits and @ . + - _ only.",
            "is_active": "Clear this rather than deleting the account.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_zones(self, empty="As the tenant")


class NewAccountForm(BaseUserCreationForm[User]):
    """A new person, with a first password to hand over."""

    groups = GroupsField()

    class Meta:
        model = User
        fields = ["username", "first_name", "last_name", "email", "groups"]
        help_texts = {"username": "Letters, digits and @ . + - _ only."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_zones(self, empty="As the tenant")

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=username).exists():
            raise ValidationError("Somebody has this name already; choose another.")
        return username


class SignInForm(AdminAuthenticationForm):
    error_messages = {
        **AdminAuthenticationForm.error_messages,
        "invalid_login": "This name and this password don't go together. Case matters in both.",
    }


class NewPasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]
    """A new password for somebody; signing in without one is not offered."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.pop("usable_password", None)


class TenantForm(forms.ModelForm[Tenant]):
    class Meta:
        model = Tenant
        fields = ["name", "time_zone", "locale", "org_id", "external_id"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_zones(self, empty=None)

    def clean_locale(self) -> str:
        locale: str = self.cleaned_data["locale"]
        if not LOCALE.fullmatch(locale):
            raise ValidationError("Write a language tag such as en or de-AT.")
        return locale


class ApiClientForm(forms.ModelForm[ApiClient]):
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="What this system may do.",
    )

    class Meta:
        model = ApiClient
        fields = ["name", "scopes", "is_active", "rate_limit"]
        labels = {"is_active": "Active"}
        help_texts = {"is_active": "Otherwise none of its tokens opens a door."}


class IssueForm(forms.Form):
    """How long a new token lives."""

    DAYS = {"30": "30 days", "90": "90 days", "365": "a year", "": "as long as it is not revoked"}
    days = forms.ChoiceField(
        label="Valid for", choices=list(DAYS.items()), initial="365", required=False
    )

    @property
    def lifetime(self) -> timedelta | None:
        days = self.cleaned_data["days"]
        return timedelta(days=int(days)) if days else None


class RotateForm(IssueForm):
    """As IssueForm, and how long those in use go on beside the new one."""

    HOURS = {
        "0": "end at once",
        "1": "go on for an hour",
        "24": "go on for a day",
        "168": "go on for 7 days",
    }
    hours = forms.ChoiceField(label="Those in use", choices=list(HOURS.items()), initial="24")

    @property
    def overlap(self) -> timedelta:
        return timedelta(hours=int(self.cleaned_data["hours"]))
