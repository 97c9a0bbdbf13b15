"""What the demo is made of. Making it again adds only what is missing."""

from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction

from channels_app.channel_services import change_channel, create_channel
from channels_app.models import Agent, Channel, WorkType
from channels_app.models.channel import Kind
from notifications.demo.people import PEOPLE, Person
from notifications.models import ContentType, Recipient, Role
from notifications.people import ensure_luma_roles, save_recipient
from notifications.templating import create_template, ensure_default_template
from project.access.audit import Actor
from project.access.groups import GROUPS
from project.access.models import ApiClient, Tenant, User
from project.access.models.client import Scope

BY = Actor.hub("demo")
TENANT = "Acme Utilities"
CALLBACK_URL = "http://127.0.0.1:9000/hook"
SYSTEM = "Demo system"
CUSTOM_SERVER = "Demo custom server"
CALLBACKS = "Alvaria callbacks"
# The first one's ID is that of the Alvaria document's own sample request.
WORK_TYPES = (("32", "Billing"), ("33", "Outages"))
AGENTS = {"agent": "Mara", "admin": "Ines"}

OUTAGE = """\
Hello @recipient.first_name, the @event.service is down for maintenance and will be back at \
@event.until|default:"a time that we will tell you"."""
MAP = """\
{"url": "https://status.acme.example/map/@event.region.png",
 "text": "Where the power is out, @recipient.first_name"}"""
BILL = """\
{"title": "Your bill is ready",
 "text": "@recipient.name, your bill of @event.amount is due on @event.due|date:\\"long\\".",
 "actions": [{"title": "See the bill", "url": "https://my.acme.example/bills/@event.number"}]}"""
THANKS = "Thank you for writing, @recipient.first_name. I am looking into it."
TEMPLATES = (
    ("Thank you", ContentType.TEXT, THANKS),
    ("Planned outage", ContentType.TEXT, OUTAGE),
    ("Outage map", ContentType.IMAGE, MAP),
    ("Bill ready", ContentType.CARD, BILL),
)


class NotADemo(Exception):
    """The installation holds something that is no demo."""


def build(*, callback_url: str | None = None, base_url: str) -> Tenant:
    """Make the demo, or complete it. Raises NotADemo on an installation that is none."""
    refuse_if_real()
    with transaction.atomic():
        tenant, made = Tenant.objects.get_or_create(
            name=TENANT,
            defaults={"is_demo": True, "time_zone": "Europe/Madrid", "locale": "en"},
        )
        _users(tenant)
        ApiClient.objects.get_or_create(
            tenant=tenant, name=SYSTEM, defaults={"scopes": [Scope.LUMA_NOTIFY]}
        )
        ApiClient.objects.get_or_create(
            tenant=tenant, name=CUSTOM_SERVER, defaults={"scopes": [Scope.SERVER_MESSAGING]}
        )
        _agents(tenant)
        ensure_luma_roles(tenant)
        ensure_default_template(tenant)
        _templates(tenant)
        _channels(tenant, base_url)
        if callback_url:
            for name in ("Webhook", CALLBACKS):
                _point(tenant, name, callback_url)
        if made:
            _people(tenant)
    return tenant


def refuse_if_real() -> None:
    demos = Tenant.objects.filter(is_demo=True)
    if Tenant.objects.exclude(is_demo=True).exists():
        raise NotADemo("There is a tenant here that is no demo; nothing was touched.")
    if not demos.exists() and User.objects.exists():
        raise NotADemo("People are registered here already; nothing was touched.")


def usernames() -> dict[str, str]:
    """The demo's users: user name by group; the administrator may do everything."""
    return {"admin": "Administrator"} | {
        group.lower(): group for group in GROUPS if group != "Administrator"
    }


def _users(tenant: Tenant) -> None:
    for username, group in usernames().items():
        user, made = User.objects.get_or_create(
            username=username,
            defaults={
                "tenant": tenant,
                "is_staff": True,
                "is_superuser": username == "admin",
                "email": f"{username}@acme.example",
                "recipient_login": "mara@acme.example",
            },
        )
        if made:
            user.set_unusable_password()
            user.save()
            user.groups.add(Group.objects.get(name=group))


def _agents(tenant: Tenant) -> None:
    """Work types, and people who answer; they are away until they say otherwise."""
    kinds = [
        WorkType.objects.get_or_create(
            tenant=tenant, code=code, defaults={"name": name, "is_default": code == "32"}
        )[0]
        for code, name in WORK_TYPES
    ]
    for username, alias in AGENTS.items():
        user = User.objects.get(username=username)
        agent, made = Agent.objects.get_or_create(
            user=user, defaults={"tenant": tenant, "alias": alias}
        )
        if made:
            agent.work_types.set(kinds)


def _templates(tenant: Tenant) -> None:
    for name, kind, body in TEMPLATES:
        if not tenant.templates.filter(name=name).exists():
            create_template(tenant, name=name, kind=kind, body=body, by=BY)


def _channels(tenant: Tenant, base_url: str) -> None:
    wanted: dict[str, tuple[Kind, dict[str, Any], dict[str, str]]] = {
        "Chat": (Kind.CHAT, {}, {}),
        "E-mail": (Kind.EMAIL, {}, {}),
        "Webhook": (Kind.WEBHOOK, {"url": CALLBACK_URL}, {}),
        CALLBACKS: (Kind.ALVARIA_CALLBACK, {"url": CALLBACK_URL}, {}),
        "Luma": (Kind.LUMA, {"endpoint": base_url}, {"api_token": "set-the-real-one"}),
    }
    for name, (kind, settings, secrets) in wanted.items():
        if not tenant.channels.filter(name=name).exists():
            channel = Channel(
                tenant=tenant, name=name, kind=kind, settings=settings, is_default=name == "Chat"
            )
            create_channel(channel, by=BY, secrets=secrets)


def _point(tenant: Tenant, name: str, url: str) -> None:
    channel = tenant.channels.get(name=name)
    channel.settings = {**channel.settings, "url": url}
    change_channel(channel, by=BY, changed=["settings"])


def _people(tenant: Tenant) -> None:
    roles = {role.code: role for role in Role.objects.filter(tenant=tenant)}
    for person in PEOPLE:
        _person(tenant, person, roles)


def _person(tenant: Tenant, person: Person, roles: dict[int, Role]) -> None:
    recipient = Recipient(
        tenant=tenant,
        login=person.login,
        name=person.name,
        locale=person.locale,
        time_zone=person.time_zone,
    )
    save_recipient(
        recipient,
        by=BY,
        roles=[roles[code] for code in person.roles],
        addresses={Kind.EMAIL: person.login} if person.has_email else {},
        opt_outs=person.opt_outs,
    )
