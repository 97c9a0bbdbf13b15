"""The forms by which a list of people comes in and goes out."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from import_export.forms import ConfirmImportForm, ExportForm, ImportForm

from notifications.people import drafts
from project.access.models import Tenant

UPLOAD_MAX = 5 * 1024 * 1024  # bytes; a list longer than that is the command's work


class PeopleImportForm(ImportForm):  # type: ignore[misc] # the library has no types
    media = forms.Media()  # the library's would guess the format, which the bytes tell
    tenant: Tenant

    def clean_import_file(self) -> UploadedFile[Any]:
        file: UploadedFile[Any] = self.cleaned_data["import_file"]
        size = file.size or 0
        if size > UPLOAD_MAX:
            raise ValidationError(
                f"The file has {size / 1024 / 1024:.1f} MB; the most is {UPLOAD_MAX >> 20} MB. "
                "Longer lists go in by the command import_recipients."
            )
        file.tenant = self.tenant  # type: ignore[attr-defined] # the library hands on nothing else
        return file


class PeopleConfirmForm(ConfirmImportForm):  # type: ignore[misc]
    format = forms.ChoiceField(choices=[("0", "0")], widget=forms.HiddenInput)
    original_file_name = forms.CharField(max_length=255, widget=forms.HiddenInput)

    def __init__(self, *args: Any, tenant: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tenant = tenant

    def clean_import_file_name(self) -> str:
        """It may have been taken in already, by a second press of the button."""
        name: str = self.cleaned_data["import_file_name"]
        if not drafts.is_of(self.tenant, name) or drafts.read(name) is None:
            raise ValidationError("This upload is no longer here. Choose the file again.")
        return name


class PeopleExportForm(ExportForm):  # type: ignore[misc]
    media = forms.Media()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["format"] = forms.ChoiceField(
            choices=[("0", "CSV"), ("1", "XLSX, for a spreadsheet program")],
            widget=forms.RadioSelect,
            initial="0",
        )
