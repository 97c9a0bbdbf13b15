"""From a Luma request to a notification of one tenant."""

from channels_app.models import Channel
from notifications.audience import NAMED, Audience, Found, keys_of, look_up
from notifications.composing import Draft, NotComposable
from notifications.models import DEFAULT_TEMPLATE, TemplateVersion
from notifications.services import notify
from notifications.text.content import ContentKind
from notifications.vendors.luma.message import content
from notifications.vendors.luma.wire import NotifyRequest, Refused, number, shown
from project.access.audit import Actor
from project.access.models import Tenant
from project.prepared import Look, look_at_both

# What the fields of a Draft are called on this wire; the others are about the message.
_NAMES = {
    "audience": "recipients",
    "channel": "botExternalID",
    "template": "template_id",
    "event": "template_id",
    "repeat": "repeat",
}
# The newest version of a tenant's template that is in use, by its number.
_NEWEST = Look(
    lambda tenant, number: (
        TemplateVersion.objects.filter(
            template__tenant_id=tenant, template__number=number, template__is_retired=False
        )
        .select_related("template")
        .only("body", "template__tenant", "template__name", "template__kind")
        .order_by("-version")[:1]
    )
)


def carry_out(asked: NotifyRequest, tenant: Tenant, *, by: Actor) -> list[str]:
    """Send what is asked for; return a remark on each contact and role that is not known.

    Raises Refused, and then nothing is kept.
    """
    errors: list[str] = []
    found, newest = _look_up(asked, tenant)
    remarks = _remarks(asked, found)
    if not found.total and not found.audience.is_empty:
        errors.append(_nobody(asked))
    channel = _channel(asked, tenant, errors)
    template = _template(asked, newest, errors)
    if errors or not found.total:
        raise Refused([*errors, *remarks])
    draft = Draft(
        audience=found.audience,
        channel=channel,
        template=template,
        repeat=asked.repeat,
        **content(asked, template),
    )
    try:
        notify(tenant, draft, by=by, found=found)
    except NotComposable as error:
        raise Refused(
            f"{_NAMES.get(name, 'message')}: {text.removeprefix('body: ')}"
            for name, texts in error.errors.items()
            for text in texts
        ) from error
    return remarks


def _audience(asked: NotifyRequest) -> Audience:
    codes = (number(role) for role in asked.roles)
    return Audience(
        everyone=asked.everyone and not asked.roles,
        contacts=() if asked.everyone else asked.contacts,
        roles=tuple(code for code in codes if code is not None),
        narrow=bool(asked.roles) and not asked.everyone,
    )


def _look_up(asked: NotifyRequest, tenant: Tenant) -> tuple[Found, TemplateVersion | None]:
    """Return who is meant, and the newest version of the template that the request may use."""
    audience, code = _audience(asked), _template_number(asked)
    if code is None:
        return look_up(tenant, audience), None
    people, versions = look_at_both(
        NAMED, (tenant.pk, keys_of(audience)), _NEWEST, (tenant.pk, code)
    )
    return look_up(tenant, audience, named=people), next(iter(versions), None)


def _template_number(asked: NotifyRequest) -> int | None:
    """Return the number of the template to use, the default one's for a text without any."""
    if asked.template:
        return number(asked.template)
    return DEFAULT_TEMPLATE if asked.kind is ContentKind.TEXT else None


def _remarks(asked: NotifyRequest, found: Found) -> list[str]:
    unknown = [role for role in asked.roles if number(role) in {None, *found.unknown_roles}]
    return [
        *(f"recipients.contacts: Nobody is known as {shown(c)}." for c in found.unknown_contacts),
        *(f"recipients.roles: There is no role {shown(role)}." for role in unknown),
    ]


def _nobody(asked: NotifyRequest) -> str:
    if not asked.roles:
        return "recipients.contacts: There is nobody yet."
    whose = "Nobody" if asked.everyone else "None of these contacts"
    return f"recipients.roles: {whose} holds one of these roles."


def _channel(asked: NotifyRequest, tenant: Tenant, errors: list[str]) -> Channel | None:
    if not asked.bot:
        return None
    channel = Channel.objects.of(tenant).for_people().active().filter(external_id=asked.bot).first()
    if channel is None:
        errors.append(f"botExternalID: There is no bot {shown(asked.bot)}.")
    return channel


def _template(
    asked: NotifyRequest, newest: TemplateVersion | None, errors: list[str]
) -> TemplateVersion | None:
    """Return the words to use; a text without a template_id is put into the default ones."""
    if not asked.template:
        if asked.template_type not in {None, asked.kind}:
            errors.append(f"template_type: It does not go with the responseType {asked.kind}.")
        return newest if newest and newest.template.kind == asked.kind else None
    if newest is None:
        errors.append(f"template_id: There is no template {shown(asked.template)}.")
        return None
    kind = newest.template.kind
    for field in ("response_type", "template_type"):
        if getattr(asked, field) not in {None, kind}:
            name = "responseType" if field == "response_type" else field
            errors.append(f"{name}: The template {shown(asked.template)} is of the type {kind}.")
    return newest
