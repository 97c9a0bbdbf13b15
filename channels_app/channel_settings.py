"""Holding a channel's settings against what its kind declares."""

import unicodedata
from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from channels_app.callback_token import private_key
from channels_app.callback_verifying import public_keys
from channels_app.connectors.base import Setting, connector_for
from channels_app.http import AddressPolicy, TransportError
from channels_app.models import Channel

SETTING_MAX = 2048  # characters
KEY_MAX = 8192  # characters; an RSA key of 4096 bits has 3,300 in PEM


def check_setting(setting: Setting, value: str) -> None:
    """Refuse a value that no message could be sent with. Raises ValidationError."""
    if setting.kind in {"key", "public_key"}:
        try:
            private_key(value) if setting.kind == "key" else public_keys(value)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        return
    if len(value) > SETTING_MAX:
        raise ValidationError(f"At most {SETTING_MAX} characters.")
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in value):
        raise ValidationError("It holds a line break or another control character.")
    if setting.secret and not value.isascii():
        raise ValidationError("It holds a character that is not ASCII.")
    if setting.kind == "number" and not (value.isascii() and value.isdigit() and len(value) < 10):
        raise ValidationError("It must be a whole number.")
    if setting.kind == "email":
        validate_email(value)
    if setting.kind == "url":
        for name in setting.placeholders:
            value = value.replace(f"{{{name}}}", "x")
        if setting.placeholders and ("{" in value or "}" in value):
            names = ", ".join(f"{{{name}}}" for name in setting.placeholders)
            raise ValidationError(f"In braces there may be {names} only.")
        try:
            # The URL alone; where its host stands is judged when a socket opens.
            AddressPolicy().check_url(value)
        except TransportError as error:
            raise ValidationError(str(error)) from error


def check_settings(channel: Channel, secrets: Mapping[str, str]) -> None:
    """Refuse a channel that its connector could not work with. Raises ValidationError."""
    errors: list[str] = []
    for setting in connector_for(channel.kind).settings:
        value = secrets.get(setting.name) if setting.secret else channel.setting(setting.name)
        if not value:
            errors += [f"{setting.label}: It is required."] if setting.required else []
            continue
        try:
            check_setting(setting, str(value))
        except ValidationError as error:
            errors += [f"{setting.label}: {message}" for message in error.messages]
    if errors:
        raise ValidationError(errors)
