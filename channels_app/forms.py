"""The channel's form, drawn from what its kind declares."""

from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from django import forms

from channels_app.channel_settings import KEY_MAX, SETTING_MAX, check_setting
from channels_app.connectors.base import Setting, connector_for
from channels_app.models import Channel
from channels_app.secrets import SecretsUnreadable
from project.access.models import User

REMOVE = "-"  # typed in place of an optional secret
LONGEST_LIFETIME = timedelta(days=30)
OVERLAPS = [
    (24, "24 hours"),
    (24 * 7, "7 days"),
    (1, "1 hour"),
    (0, "not at all: it ends now"),
]


class HoursField(forms.FloatField):
    """A duration, typed in hours."""

    widget = forms.NumberInput(attrs={"step": "any"})

    def prepare_value(self, value: Any) -> Any:
        return f"{value / timedelta(hours=1):.6g}" if isinstance(value, timedelta) else value

    def clean(self, value: Any) -> Any:
        hours = super().clean(value)
        return None if hours is None else timedelta(hours=hours)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.to_python(self.prepare_value(initial)), data)


class KeyInput(forms.Textarea):
    """For a key of several lines; what was typed is not given back."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


class ChannelForm(forms.ModelForm[Channel]):
    """Fields named ``setting_…`` and ``secret_…`` stand for the kind's declared settings."""

    kind: ClassVar[str] = ""
    declared: ClassVar[tuple[Setting, ...]] = ()

    lifetime = HoursField(
        min_value=1 / 60,
        max_value=LONGEST_LIFETIME / timedelta(hours=1),
        initial=Channel._meta.get_field("lifetime").default,
        label="Lifetime in hours",
        help_text="A delivery not made by then expires.",
    )

    class Meta:
        model = Channel
        fields = (
            "name",
            "external_id",
            "client",
            "is_active",
            "is_default",
            "lifetime",
            "max_in_flight",
            "rate_limit",
            "owner",
        )
        labels: ClassVar = {
            "external_id": "External ID",
            "client": "System",
            "is_active": "Active",
            "is_default": "Default",
            "max_in_flight": "Requests at once",
            "rate_limit": "Messages a second",
        }
        help_texts: ClassVar = {
            "client": "Whose sessions it tells of.",
            "max_in_flight": "At most, for each worker.",
            "rate_limit": "At most, over all workers. 0 is no limit.",
            "owner": "Is told by e-mail when it is paused and when it comes back.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.kind = self.kind
        owner = self.fields.get("owner")
        if isinstance(owner, forms.ModelChoiceField):
            owner.empty_label = "nobody: Administrators are told"
            # Who made it may be of no tenant, or of another by now: they stay until changed.
            chosen = User.objects.filter(pk=self.instance.owner_id or 0)
            owner.queryset = (owner.queryset or chosen) | chosen
        client = self.fields.get("client")
        if isinstance(client, forms.ModelChoiceField):
            client.empty_label = "every system without a channel of its own"
        held = _held(self.instance)
        for setting in self.declared:
            field = self.fields[field_name(setting)]
            if not setting.secret:
                field.initial = self.instance.setting(setting.name)
            elif setting.name in held:
                field.required = False
                hint = "Kept as it is when left empty"
                hint += "." if setting.required else f", taken away by “{REMOVE}”."
                field.help_text = f"{setting.help} {hint}".strip()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        settings = dict(self.instance.settings)
        for setting in self.declared:
            if not setting.secret:
                settings[setting.name] = cleaned.get(field_name(setting), "")
        self.instance.settings = {name: value for name, value in settings.items() if value}
        return cleaned

    def _get_validation_exclusions(self) -> set[str]:
        # A new default takes the old one's place, so that there is one is no reason to refuse.
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        # The kind is no field, but constraints ask for it.
        return (excluded | {"is_default"}) - {"kind"}

    @property
    def secrets(self) -> dict[str, str]:
        """The secrets that were typed in, empty ones for those to be removed; the others stay."""
        given = {s.name: self.cleaned_data[field_name(s)] for s in self.declared if s.secret}
        return {name: "" if value == REMOVE else value for name, value in given.items() if value}


class RotateForm(forms.Form):
    overlap = forms.TypedChoiceField(
        choices=OVERLAPS, coerce=int, initial=24, label="The old secret stays good for"
    )


def channel_form(kind: str) -> type[ChannelForm]:
    """Make the form of a channel kind. Raises KeyError for one that is not registered."""
    declared = tuple(s for s in connector_for(kind).settings if not (s.secret and s.generate))
    fields = {field_name(setting): _field(setting) for setting in declared}
    return type("ChannelForm", (ChannelForm,), {**fields, "kind": kind, "declared": declared})


def field_name(setting: Setting) -> str:
    return f"{'secret' if setting.secret else 'setting'}_{setting.name}"


def _field(setting: Setting) -> forms.CharField:
    widget: forms.Widget = forms.TextInput(attrs={"class": "vTextField"})
    if setting.kind == "key":
        widget = KeyInput(attrs={"class": "vLargeTextField", "rows": 4, "autocomplete": "off"})
    elif setting.kind == "public_key":
        widget = forms.Textarea(attrs={"class": "vLargeTextField", "rows": 4})
    elif setting.kind == "number":
        widget = forms.NumberInput(attrs={"min": 0})
    elif setting.secret:
        widget = forms.PasswordInput(attrs={"class": "vTextField", "autocomplete": "new-password"})
    elif setting.kind == "url" and not setting.placeholders:  # a browser refuses the braces
        widget = forms.URLInput(attrs={"class": "vTextField", "placeholder": "https://"})
    return forms.CharField(
        label=setting.label,
        help_text=setting.help,
        required=setting.required,
        max_length=KEY_MAX if setting.kind in {"key", "public_key"} else SETTING_MAX,
        widget=widget,
        validators=[partial(_check, setting)],
    )


def _check(setting: Setting, value: str) -> None:
    if value != REMOVE or setting.required or not setting.secret:
        check_setting(setting, value)


def _held(channel: Channel) -> set[str]:
    """Name the secrets that the channel has; those that do not open are as good as none."""
    try:
        return set(channel.secrets)
    except SecretsUnreadable:
        return set()
