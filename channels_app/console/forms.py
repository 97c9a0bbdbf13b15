from typing import Any
from uuid import UUID

from django import forms
from django.core.files.uploadedfile import UploadedFile

from channels_app.models import Agent, WorkType
from channels_app.sessions.files import LARGEST

TEXT_MAX = 10_000  # characters, as Alvaria's contacts may say
TOO_LARGE = "The file is larger than 10 MB. Nothing was sent."


class SayForm(forms.Form):
    """What an agent says. ``token`` is the message's id: pressed twice, it is sent once."""

    token = forms.UUIDField()
    text = forms.CharField(
        required=False,
        max_length=TEXT_MAX,
        strip=True,
        error_messages={"max_length": f"A reply may have {TEXT_MAX:,} characters at most."},
    )
    file = forms.FileField(
        required=False, max_length=None, error_messages={"empty": "The file is empty."}
    )

    def clean_file(self) -> UploadedFile[bytes] | None:
        file: UploadedFile[bytes] | None = self.cleaned_data["file"]
        if file is not None and (file.size or 0) > LARGEST:
            raise forms.ValidationError(TOO_LARGE)
        return file

    def clean_text(self) -> str:
        return str(self.cleaned_data["text"]).replace("\r\n", "\n")

    def clean(self) -> dict[str, Any]:
        fields = super().clean() or {}
        if not self.errors and not fields.get("text") and not fields.get("file"):
            raise forms.ValidationError("Write something first.")
        return fields

    @property
    def public_id(self) -> UUID:
        found: UUID = self.cleaned_data["token"]
        return found

    @property
    def problem(self) -> str:
        """What is wrong, in a sentence."""
        return " ".join(str(words) for found in self.errors.values() for words in found)


class TransferForm(forms.Form):
    """``to`` is ``agent-7`` or ``work-type-3``: one of this tenant's."""

    to = forms.CharField(max_length=40)

    def __init__(self, data: Any, *, agent: Agent) -> None:
        super().__init__(data)
        self._agent = agent
        self.to_agent: Agent | None = None
        self.to_work_type: WorkType | None = None

    def clean_to(self) -> str:
        kind, _, number = str(self.cleaned_data["to"]).rpartition("-")
        tenant = self._agent.tenant
        if number.isascii() and number.isdecimal() and len(number) <= 18:
            if kind == "agent":
                self.to_agent = Agent.objects.of(tenant).available().filter(pk=number).first()
            elif kind == "work-type":
                types = WorkType.objects.of(tenant).active().select_related("tenant")
                self.to_work_type = types.prefetch_related("hours").filter(pk=number).first()
        if self.to_agent is None and self.to_work_type is None:
            raise forms.ValidationError("They are not available any more; choose again.")
        return kind
