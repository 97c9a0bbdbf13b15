from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from notifications.models import ContentType, Template
from notifications.people.rules import clean_line
from notifications.templating import VersionConflict, check_base, clean_body

NAME_MAX = Template._meta.get_field("name").max_length or 0


class TemplateForm(forms.ModelForm[Template]):
    """A template and its current words. ``based_on`` is the version that the author began with."""

    body = forms.CharField(
        strip=False,
        label="Words",
        widget=forms.Textarea(attrs={"rows": 12, "class": "vLargeTextField"}),
    )
    based_on = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)

    class Meta:
        model = Template
        fields = ("name", "kind")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            current = self.instance.current
            self.initial.setdefault("body", current.body)
            self.initial.setdefault("based_on", current.version)

    @property
    def kind(self) -> str:
        return str(self.cleaned_data.get("kind") or self.instance.kind)

    def clean_name(self) -> str:
        return clean_line(self.cleaned_data["name"], NAME_MAX)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        body: str | None = self.cleaned_data.get("body")
        if body is not None and self.kind in ContentType.values:
            try:
                self.cleaned_data["body"] = clean_body(self.kind, body)
                self._check_base(self.cleaned_data["body"])
            except ValidationError as error:
                self.add_error("body", error)
        return cleaned

    def _check_base(self, body: str) -> None:
        """Refuse to write over words that the author has not seen; pressing Save again does."""
        if self.instance.pk is None:
            return
        try:
            check_base(self.instance.current, body, self.cleaned_data.get("based_on"))
        except VersionConflict as conflict:
            data = QueryDict(mutable=True)
            data.update({name: self.data[name] for name in self.data})
            data["based_on"] = str(conflict.current.version)
            self.data = data
            raise ValidationError(
                f"{conflict} It stands among the versions below; save again to put your words "
                "in its place."
            ) from conflict


class PreviewForm(forms.Form):
    """What the editor sends to be drawn."""

    kind = forms.ChoiceField(choices=ContentType.choices)
    body = forms.CharField(strip=False, required=False)
    preview_login = forms.CharField(required=False, max_length=254)
    preview_message = forms.CharField(required=False, strip=False, max_length=2_000)
