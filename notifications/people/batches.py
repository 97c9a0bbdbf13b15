"""One batch of a file's rows against the database: what is new, what changes, and the writing."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from django.db import IntegrityError, transaction
from django.utils import timezone

from notifications.models import Address, OptOut, Recipient
from notifications.people.particulars import Holding, Particulars, particulars_of
from notifications.people.rows import Row
from project.access.models import Tenant

# Someone else may add the same login between the look and the writing: then look again.
TRIES = 3

Effect = Literal["new", "changed", "unchanged"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a row does. ``changes`` are the columns in which it differs from what is kept."""

    row: Row
    effect: Effect
    changes: tuple[str, ...] = ()


@dataclass
class _Plan:
    """Rows to be written, gathered so that each table is written once."""

    new: list[Recipient] = field(default_factory=list)
    changed: list[Recipient] = field(default_factory=list)
    addresses: list[tuple[Recipient, str, str]] = field(default_factory=list)
    roles: list[tuple[Recipient, int]] = field(default_factory=list)
    opt_outs: list[tuple[Recipient, str]] = field(default_factory=list)
    gone_addresses: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    gone_roles: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    gone_opt_outs: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))


def settle_batch(
    tenant: Tenant, rows: Sequence[Row], codes: Mapping[int, int], *, write: bool
) -> list[Outcome]:
    """Bring these people to what the rows say; only look when not ``write``.

    Rows name each login once; ``codes`` maps role codes to the tenant's role ids. What a row
    does not mention stays. All or none of the batch is written.
    """
    if not write:
        return _compare(tenant, rows, codes, _Plan(), lock=False)
    for left in reversed(range(TRIES)):
        try:
            with transaction.atomic():
                plan = _Plan()
                outcomes = _compare(tenant, rows, codes, plan, lock=True)
                _write(plan)
                return outcomes
        except IntegrityError:
            if not left:
                raise
    raise AssertionError("unreachable")


def _compare(
    tenant: Tenant, rows: Sequence[Row], codes: Mapping[int, int], plan: _Plan, *, lock: bool
) -> list[Outcome]:
    known = _look_up(tenant, rows, lock=lock)
    kept = particulars_of([person.pk for person in known.values()])
    outcomes = []
    # In the order of the logins, so that two imports at once take their locks in one order.
    for row in sorted(rows, key=lambda row: row.key):
        person = known.get(row.key)
        is_new = person is None
        person = person or Recipient(tenant_id=tenant.pk, login=row.login)
        changes = _set(person, kept.get(person.pk, Particulars()), row, codes, plan)
        if is_new:
            plan.new.append(person)
        elif changes:
            plan.changed.append(person)
        effect: Effect = "new" if is_new else "changed" if changes else "unchanged"
        outcomes.append(Outcome(row, effect, tuple(changes)))
    outcomes.sort(key=lambda outcome: outcome.row.line)
    return outcomes


def _look_up(tenant: Tenant, rows: Sequence[Row], *, lock: bool) -> dict[str, Recipient]:
    known = Recipient.objects.of(tenant).named([row.login for row in rows]).order_by("pk")
    if lock:
        known = known.select_for_update(of=("self",))
    return {person.login_key: person for person in known}


def _set(
    person: Recipient, kept: Particulars, row: Row, codes: Mapping[int, int], plan: _Plan
) -> list[str]:
    """Put the row into the person and the plan; return the columns that changed."""
    changes = []
    for name, value in row.fields.items():
        if getattr(person, name) != value:
            setattr(person, name, value)
            changes.append("active" if name == "is_active" else name)
    for kind, address in row.addresses.items():
        if address != kept.addresses.get(kind, ""):
            changes.append(kind)
            if address:
                plan.addresses.append((person, kind, address))
            else:
                plan.gone_addresses[kind].append(person.pk)
    if row.roles is not None:
        wanted = {codes[code] for code in row.roles}
        if wanted != kept.roles.keys():
            changes.append("roles")
            plan.roles += [(person, role) for role in wanted - kept.roles.keys()]
            for role in kept.roles.keys() - wanted:
                plan.gone_roles[role].append(person.pk)
    if row.opt_outs is not None and row.opt_outs != kept.opt_outs:
        changes.append("opt_outs")
        plan.opt_outs += [(person, kind) for kind in row.opt_outs - kept.opt_outs]
        for kind in kept.opt_outs - row.opt_outs:
            plan.gone_opt_outs[kind].append(person.pk)
    return changes


def _write(plan: _Plan) -> None:
    if plan.new:
        Recipient.objects.bulk_create(plan.new)
    if plan.changed:
        now = timezone.now()
        for recipient in plan.changed:
            recipient.updated_at = now
        # An upsert by key: one statement for many rows, where bulk_update's CASE grows square.
        Recipient.objects.bulk_create(
            plan.changed,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["name", "locale", "time_zone", "is_active", "updated_at"],
        )
    for kind, ids in plan.gone_addresses.items():
        Address.objects.filter(kind=kind, recipient__in=ids).delete()
    for role, ids in plan.gone_roles.items():
        Holding.objects.filter(role=role, recipient__in=ids).delete()
    for kind, ids in plan.gone_opt_outs.items():
        OptOut.objects.filter(kind=kind, recipient__in=ids).delete()
    Address.objects.bulk_create(
        [
            Address(recipient_id=one.pk, kind=kind, value=value)
            for one, kind, value in plan.addresses
        ],
        update_conflicts=True,
        unique_fields=["recipient", "kind"],
        update_fields=["value"],
    )
    Holding.objects.bulk_create(
        [Holding(recipient_id=one.pk, role_id=role) for one, role in plan.roles],
        ignore_conflicts=True,
    )
    OptOut.objects.bulk_create(
        [OptOut(recipient_id=one.pk, kind=kind) for one, kind in plan.opt_outs],
        ignore_conflicts=True,
    )
