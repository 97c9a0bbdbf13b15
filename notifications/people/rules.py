"""What the particulars of a person may look like; the forms and the import ask the same.

Each function returns the text as it is to be kept, or raises ValidationError.
"""

import re
import unicodedata
from functools import lru_cache

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from channels_app.models.channel import FOR_PEOPLE, Kind
from notifications.models import Address, Recipient
from notifications.models.recipient import EVERY_KIND
from project.access.models.tenant import known_zone

LOGIN_MAX = Recipient._meta.get_field("login").max_length or 0
NAME_MAX = Recipient._meta.get_field("name").max_length or 0
LOCALE_MAX = Recipient._meta.get_field("locale").max_length or 0
ADDRESS_MAX = Address._meta.get_field("value").max_length or 0
OPT_OUT_KINDS = (*(kind.value for kind in FOR_PEOPLE), EVERY_KIND)

_LOCALE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_YES = {"true", "yes", "1"}
_NO = {"false", "no", "0"}


def clean_line(text: str, limit: int) -> str:
    """Return one printable line without blanks at its ends."""
    text = text.strip()
    if len(text) > limit:
        raise ValidationError(f"It has {len(text):,} characters; the most is {limit}.")
    # isprintable() is quick and refuses a few blanks too, so only its doubts are looked into.
    if not text.isprintable():
        for char in text:
            if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}:
                raise ValidationError("It holds a line break or another control character.")
    return text


def clean_login(text: str) -> str:
    login = clean_line(text, LOGIN_MAX)
    if not login:
        raise ValidationError("A login is needed.")
    if login == "0":
        raise ValidationError("0 means everyone and can't be a login.")
    if "," in login:
        raise ValidationError("A login can't hold a comma: commas part several logins.")
    return login


def clean_name(text: str) -> str:
    return clean_line(text, NAME_MAX)


def clean_locale(text: str) -> str:
    """Return a BCP 47 tag; POSIX's underscore is taken for its hyphen."""
    locale = clean_line(text, LOCALE_MAX).replace("_", "-")
    if locale and not _LOCALE.fullmatch(locale):
        raise ValidationError(f"“{locale}” is not a language tag such as en or de-AT.")
    return locale


def clean_time_zone(text: str) -> str:
    name = text.strip()
    if problem := _zone_problem(name):
        raise ValidationError(problem)
    return name


@lru_cache(maxsize=2048)  # the zone's file would be read again for each of a million rows
def _zone_problem(name: str) -> str:
    try:
        if name:
            known_zone(name)
    except ValidationError as error:
        return error.messages[0]
    return ""


def clean_address(kind: str, text: str) -> str:
    """Check an address for its kind of channel; "" is none.

    Luma's far end reads a comma as "and" and 0 as "everyone".
    """
    value = clean_line(text, ADDRESS_MAX)
    if not value:
        return ""
    if kind == Kind.EMAIL:
        validate_email(value)
    elif kind == Kind.LUMA and (value == "0" or "," in value):
        raise ValidationError("A Luma contact is one login: not 0, and without a comma.")
    return value


def clean_opt_out(text: str) -> str:
    kind = text.strip().lower()
    if kind not in OPT_OUT_KINDS:
        raise ValidationError(f"“{kind[:40]}” is not one of {', '.join(OPT_OUT_KINDS)}.")
    return kind


def clean_active(text: str) -> bool | None:
    """Return None for an empty text, which leaves things as they are."""
    word = text.strip().lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    if word:
        raise ValidationError(f"“{word[:40]}” is neither true nor false.")
    return None
