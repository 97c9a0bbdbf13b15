"""The forms of a person's page, each field checked by the rules that the import asks too."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.core.exceptions import ValidationError

from notifications.models import Address, Recipient, Role
from notifications.people import LUMA_ROLES, rules

CODE_MAX = 2_147_483_647  # PostgreSQL's integer


class RecipientForm(forms.ModelForm[Recipient]):
    time_zone = forms.ChoiceField(required=False, help_text="Empty is the tenant's.")

    class Meta:
        model = Recipient
        fields = ("login", "name", "locale", "time_zone", "is_active", "roles", "last_channel")
        widgets = {"roles": forms.CheckboxSelectMultiple}
        labels = {"is_active": "Active"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "time_zone" in self.fields:  # not in the form of someone who may only read
            zones = available_timezones() | {self.instance.time_zone} - {""}
            self.fields["time_zone"].choices = [  # type: ignore[attr-defined]
                ("", "The tenant's"),
                *((zone, zone) for zone in sorted(zones)),
            ]

    def clean_login(self) -> str:
        login = rules.clean_login(self.cleaned_data["login"])
        others = Recipient.objects.of(self.instance.tenant).exclude(pk=self.instance.pk)
        if others.named([login]).exists():
            raise ValidationError("A recipient with this login exists.")
        return login

    def clean_name(self) -> str:
        return rules.clean_name(self.cleaned_data["name"])

    def clean_locale(self) -> str:
        return rules.clean_locale(self.cleaned_data["locale"])


class AddressForm(forms.ModelForm[Address]):
    class Meta:
        model = Address
        fields = ("kind", "value")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        kind, value = self.cleaned_data.get("kind"), self.cleaned_data.get("value")
        if kind and value:
            try:
                self.cleaned_data["value"] = rules.clean_address(kind, value)
            except ValidationError as error:
                self.add_error("value", error)
        return cleaned


class OwnRows(forms.BaseInlineFormSet[Any, Recipient, Any]):
    """Django takes any row's id here; these must be the person's own."""

    def clean(self) -> None:
        super().clean()
        for form in self.initial_forms:
            row = getattr(form, "cleaned_data", {}).get("id")
            if row is not None and row.recipient_id != self.instance.pk:
                raise ValidationError("A row of another person can't be changed here.")


class RoleForm(forms.ModelForm[Role]):
    class Meta:
        model = Role
        fields = ("code", "name")

    def clean_code(self) -> int:
        code: int = self.cleaned_data["code"]
        if code == 0:
            raise ValidationError("0 means everyone and can't be a role's code.")
        if code < min(LUMA_ROLES) or code > CODE_MAX:
            raise ValidationError(f"A code is -1 to -5 (Luma's) or from 1 to {CODE_MAX:,}.")
        return code

    def clean_name(self) -> str:
        return rules.clean_line(self.cleaned_data["name"], 80)
