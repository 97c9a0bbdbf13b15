"""What is done with people, one by one."""

from collections.abc import Collection, Mapping

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from notifications.models import Address, OptOut, Recipient, Role
from notifications.people.logins import keep_login
from project.access.audit import Actor, record
from project.access.models import Tenant

LUMA_ROLES = {
    -1: "Administrator",
    -2: "Developer",
    -3: "Analyst",
    -4: "Self-service user",
    -5: "Guest user",
}
LOGINS_NOTED = 100  # an audit entry about many people names the first of them


def ensure_luma_roles(tenant: Tenant) -> None:
    """Give a tenant the five roles that Luma numbers; those it has keep their names."""
    roles = [Role(tenant=tenant, code=code, name=name) for code, name in LUMA_ROLES.items()]
    Role.objects.bulk_create(roles, ignore_conflicts=True)


def save_recipient(
    recipient: Recipient,
    *,
    by: Actor,
    roles: Collection[Role] | None = None,
    addresses: Mapping[str, str] | None = None,
    opt_outs: Collection[str] | None = None,
) -> Recipient:
    """Save a person with what belongs to them; None leaves a part as it is.

    ``addresses`` are by channel kind. The values must be clean (notifications/people/rules.py).
    Raises ValidationError for a role or a last channel of another tenant, IntegrityError for a
    login that someone else took at the same time.
    """
    _refuse_foreign(recipient, roles or ())
    is_new = recipient.pk is None
    with transaction.atomic():
        before = None if is_new else Recipient.objects.select_for_update().get(pk=recipient.pk)
        fields = [name for name in _FIELDS if _differs(before, recipient, name)]
        if before is not None and before.login != recipient.login:
            keep_login(before)
        recipient.save()
        if roles is not None and _set_roles(recipient, roles):
            fields.append("roles")
        if addresses is not None:
            fields += _set_addresses(recipient, addresses)
        if opt_outs is not None and _set_opt_outs(recipient, opt_outs):
            fields.append("opt_outs")
        if is_new or fields:
            action = "recipient.add" if is_new else "recipient.change"
            record(by, action, tenant=recipient.tenant, target=recipient, fields=fields)
    return recipient


_FIELDS = ("login", "name", "locale", "time_zone", "is_active", "last_channel_id")


def _differs(before: Recipient | None, recipient: Recipient, name: str) -> bool:
    return before is None or getattr(before, name) != getattr(recipient, name)


def _refuse_foreign(recipient: Recipient, roles: Collection[Role]) -> None:
    if any(role.tenant_id != recipient.tenant_id for role in roles):
        raise ValidationError("A role of another tenant can't be given.")
    channel = recipient.last_channel
    if channel is not None and channel.tenant_id != recipient.tenant_id:
        raise ValidationError("A channel of another tenant can't be used.")


def _set_roles(recipient: Recipient, roles: Collection[Role]) -> bool:
    held = set(recipient.roles.values_list("pk", flat=True))
    recipient.roles.set(roles)
    return held != {role.pk for role in roles}


def _set_addresses(recipient: Recipient, addresses: Mapping[str, str]) -> list[str]:
    """Return the kinds that changed."""
    held = dict(recipient.addresses.values_list("kind", "value"))
    recipient.addresses.filter(kind__in=held.keys() - addresses.keys()).delete()
    changed = {kind: value for kind, value in addresses.items() if held.get(kind) != value}
    Address.objects.bulk_create(
        [Address(recipient=recipient, kind=kind, value=value) for kind, value in changed.items()],
        update_conflicts=True,
        unique_fields=["recipient", "kind"],
        update_fields=["value"],
    )
    return sorted(changed.keys() | (held.keys() - addresses.keys()))


def _set_opt_outs(recipient: Recipient, kinds: Collection[str]) -> bool:
    held = set(recipient.opt_outs.values_list("kind", flat=True))
    recipient.opt_outs.filter(kind__in=held - set(kinds)).delete()
    new = [OptOut(recipient=recipient, kind=kind) for kind in set(kinds) - held]
    OptOut.objects.bulk_create(new, ignore_conflicts=True)
    return held != set(kinds)


def opt_out(recipient: Recipient, kind: str, *, by: Actor) -> None:
    """Note the wish to get nothing over a kind, or "*" over any. Repeating it changes nothing."""
    with transaction.atomic():
        _out, created = OptOut.objects.get_or_create(recipient=recipient, kind=kind)
        if created:
            record(by, "recipient.opt_out", tenant=recipient.tenant, target=recipient, kind=kind)


def opt_in(recipient: Recipient, kind: str, *, by: Actor) -> None:
    """Take an opt-out back. Repeating it changes nothing."""
    with transaction.atomic():
        gone, _by_model = OptOut.objects.filter(recipient=recipient, kind=kind).delete()
        if gone:
            record(by, "recipient.opt_in", tenant=recipient.tenant, target=recipient, kind=kind)


def set_active(people: QuerySet[Recipient], active: bool, *, tenant: Tenant, by: Actor) -> int:
    """Put people to rest, who then get nothing, or back; returns how many were not so before."""
    with transaction.atomic():
        chosen = people.filter(tenant=tenant, is_active=not active)
        logins = list(chosen.order_by().values_list("login", flat=True)[:LOGINS_NOTED])
        count = chosen.order_by().update(is_active=active, updated_at=timezone.now())
        if count:
            action = "recipient.activate" if active else "recipient.deactivate"
            record(by, action, tenant=tenant, count=count, logins=logins)
    return count
