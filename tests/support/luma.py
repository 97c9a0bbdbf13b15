"""Luma's document, as its callers send it, and the rows that a test of it starts from."""

import json
from typing import Any

from notifications.models import Recipient, Role
from notifications.templating import create_template
from project.access.audit import Actor
from project.access.models import ApiClient, Tenant
from project.access.models.client import Scope
from project.access.services import issue_token

BY = Actor.hub("test")
PATH = "/public/notifylumauser/message"
JAKE = "jake@seviceaide.com"
OUTAGE = (
    "This is to notify you that the Microsoft exchange server is down due to internal "
    "maintenance and will be up at 9 PM (PST)."
)

# As the document prints it, character by character.
SEED = f"""{{

  "recipients" : {{

    "contacts" : ["{JAKE}"],

    "roles" : [""]

  }},

  "botExternalID" : "",

  "template_type" : "",

  "template_id" : "",

  "responseType" : "TEXT",

  "message" : "{OUTAGE}",

  "repeat" : ""

}} """


def request(
    contacts: Any = (JAKE,), roles: Any = ("",), *, without: tuple[str, ...] = (), **fields: Any
) -> dict[str, Any]:
    """Return the document's request with other recipients or fields, or without some."""
    asked = json.loads(SEED)
    asked["recipients"] = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in (("contacts", contacts), ("roles", roles))
    }
    asked |= fields
    return {name: value for name, value in asked.items() if name not in without}


def person(tenant: Tenant, login: str, *codes: int, **fields: Any) -> Recipient:
    recipient = Recipient.objects.create(tenant=tenant, login=login, **fields)
    for code in codes:
        role, _ = Role.objects.get_or_create(
            tenant=tenant, code=code, defaults={"name": f"Role {code}"}
        )
        recipient.roles.add(role)
    return recipient


def template(tenant: Tenant, body: str, *, kind: str = "TEXT", number: int | None = None) -> str:
    """Make a template; return its number as callers write it."""
    name = f"Template {tenant.templates.count() + 1}"
    made = create_template(tenant, name=name, kind=kind, body=body, by=BY, number=number)
    return str(made.number)


def token_for(tenant: Tenant, *, name: str = "ITSM", **fields: Any) -> str:
    """Make a system that may notify, and return a token of it."""
    fields.setdefault("scopes", [Scope.LUMA_NOTIFY])
    client = ApiClient.objects.create(tenant=tenant, name=name, **fields)
    return issue_token(client, by=BY)[1]
