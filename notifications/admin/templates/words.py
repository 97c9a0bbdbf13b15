"""What may stand in a template, as the editor shows it beside the form."""

from notifications.text.filters import FILTERS as KNOWN_FILTERS
from notifications.text.variables import NAMESPACES

_MEANINGS = {
    "request.message": "the message that the caller or composer gives",
    "recipient.name": "the person's name, else the login",
    "recipient.first_name": "the first word of the name",
    "recipient.login": "the login",
    "recipient.locale": "such as de-AT",
    "recipient.time_zone": "such as Europe/Madrid",
    "tenant.name": "your organisation",
    "notification.title": "the title of the notification",
}

# (variable, meaning); a namespace of free names stands there once.
VARIABLES: list[tuple[str, str]] = [
    (f"@{space}.{name}", _MEANINGS.get(f"{space}.{name}", ""))
    for space, names in NAMESPACES.items()
    for name in names or ()
] + [
    (f"@{space}.…", "a value given along with the notification, under any name")
    for space, names in NAMESPACES.items()
    if names is None
]
FILTERS: list[str] = [f"|{known.example}" for known in KNOWN_FILTERS.values()]
