"""A compose form as a browser posts it, and what tests of composing start from."""

import re
import uuid
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.utils.html import escape

from notifications import tasks
from notifications.expansion import finish
from notifications.models import Notification, Recipient, Role
from notifications.people import save_recipient
from project.access.audit import Actor
from project.access.models import Tenant

LIST = "/admin/notifications/notification/"
ADD = f"{LIST}add/"
BY = Actor.hub("tests")


def page_of(notification: Notification) -> str:
    return f"{LIST}{notification.pk}/change/"


def do(client: Client, notification: Notification, deed: str, **fields: Any) -> Any:
    """Press one of the buttons of a notification's page and follow to where it leads."""
    return client.post(f"{LIST}{notification.pk}/do/{deed}/", fields, follow=True)


def filled(**fields: Any) -> dict[str, Any]:
    """Fill in a form: a text to everyone, now, unless ``fields`` say else; None leaves one out."""
    form = {
        "key": uuid.uuid4().hex,
        "everyone": "on",
        "kind": "TEXT",
        "text": "The water is off until noon.",
        "channel": "",
        "priority": "5",
        "when": "now",
    } | fields
    return {name: value for name, value in form.items() if value is not None}


def press(client: Client, action: str, *, at: str = ADD, **fields: Any) -> Any:
    """Fill in the form and press a button; follows to where it leads."""
    return client.post(at, {"action": action, **filled(**fields)}, follow=True)


def composed(client: Client, action: str = "save", **fields: Any) -> Notification:
    """Compose and return the newest notification; fails when the form was refused."""
    before = set(Notification.objects.values_list("pk", flat=True))
    response = press(client, action, **fields)
    new = Notification.objects.exclude(pk__in=before).first()
    assert new is not None, problems(response)
    return new


def problems(response: HttpResponse) -> list[str]:
    """What the page says above the form."""
    found = re.search(r'id="problems">(.*?)</ul>', response.content.decode(), re.DOTALL)
    return re.findall(r"<li>(.*?)</li>", found[1], re.DOTALL) if found else []


def shows(response: HttpResponse, text: str) -> bool:
    """Whether the page holds this text, escaped as it must be."""
    return escape(text) in response.content.decode()


def expand_and_send(notification: Notification) -> None:
    """Do what the workers do; a test's transaction never ends, so the last hint is given here."""
    tasks.send(notification.pk)
    tasks.expand(notification.pk)
    finish(notification.pk)


def person(
    tenant: Tenant, login: str, *codes: int, name: str = "", time_zone: str = "", **more: Any
) -> Recipient:
    for code in codes:
        Role.objects.get_or_create(tenant=tenant, code=code, defaults={"name": f"Role{code}"})
    return save_recipient(
        Recipient(tenant=tenant, login=login, name=name, time_zone=time_zone),
        by=BY,
        roles=list(tenant.roles.filter(code__in=codes)),
        addresses=more.get("addresses", {}),
        opt_outs=more.get("opt_outs", ()),
    )
