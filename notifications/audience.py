"""Who is meant: named people, roles or everyone, and what that comes to before sending."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Self

from django.db.models import Case, CharField, Count, Exists, F, OuterRef, Q, Value, When

from channels_app.connectors.base import connector_for
from channels_app.models import Channel
from channels_app.models.channel import Kind
from notifications.models import Address, OptOut, Recipient, Role
from notifications.models.recipient import EVERY_KIND, RecipientQuerySet, login_key
from project.access.models import Tenant
from project.prepared import Look

# Named people in one notification. More are better addressed by a role; each batch of an
# expansion looks all of them up.
CONTACTS_MAX = 10_000
FEW = 20  # names that are looked up by a statement kept for so many

# Those of a tenant with one of these keys, at most `FEW`; in any order.
NAMED = Look(
    lambda tenant, keys: (
        Recipient.objects.active()
        .filter(tenant_id=tenant, login_key__in=keys)
        .only("login_key", "login")
        .order_by()
        .annotate(
            has_default=Exists(Channel.objects.filter(tenant=OuterRef("tenant"), is_default=True))
        )
    )
)


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is meant. Active people only; nobody twice, however often they are named.

    Named people and holders of the roles; with ``narrow`` only those named who hold one of the
    roles (Luma's reading of contacts with roles). ``everyone`` makes the rest meaningless.
    """

    everyone: bool = False
    contacts: tuple[str, ...] = ()
    roles: tuple[int, ...] = ()
    narrow: bool = False

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        return cls(
            everyone=bool(stored.get("everyone")),
            contacts=tuple(stored.get("contacts", ())),
            roles=tuple(stored.get("roles", ())),
            narrow=bool(stored.get("narrow")),
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "everyone": self.everyone,
            "contacts": list(self.contacts),
            "roles": list(self.roles),
            "narrow": self.narrow,
        }

    @property
    def is_empty(self) -> bool:
        return not (self.everyone or self.contacts or self.roles)

    def recipients(self, tenant: Tenant) -> RecipientQuerySet:
        people = Recipient.objects.of(tenant).active()
        if self.everyone:
            return people
        if self.narrow:
            return people.named(self.contacts).holding(self.roles)
        if not self.roles:
            return people.named(self.contacts)
        if not self.contacts:
            return people.holding(self.roles)
        either = Q(pk__in=people.named(self.contacts).values("pk")) | Q(
            pk__in=people.holding(self.roles).values("pk")
        )
        return people.filter(either)

    def describe(self, tenant: Tenant, roles: Mapping[int, str] | None = None) -> str:
        """Say it in words, such as “Administrator (-1), jake@acme.example and 3 more”.

        ``roles`` names the tenant's roles by code, for who describes many.
        """
        if self.everyone:
            return "Everyone"
        if roles is None:
            roles = role_names(tenant) if self.roles else {}
        parts = [*(roles.get(code, f"Role {code}") for code in self.roles), *self.contacts]
        words = ", ".join(parts[:3]) + (f" and {len(parts) - 3} more" if len(parts) > 3 else "")
        return f"{words} (both)" if self.narrow else words or "Nobody"


def role_names(tenant: Tenant) -> dict[int, str]:
    return {role.code: str(role) for role in Role.objects.filter(tenant=tenant)}


def unknown_contacts(tenant: Tenant, contacts: Iterable[str]) -> list[str]:
    """Return the logins, as written, that name nobody who is active in this tenant."""
    wanted = list(dict.fromkeys(contacts))
    people = Recipient.objects.of(tenant).active().named(wanted)
    known = set(people.values_list("login_key", flat=True))
    return [login for login in wanted if login_key(login) not in known]


def unknown_roles(tenant: Tenant, codes: Collection[int]) -> list[int]:
    if not codes:
        return []
    known = set(Role.objects.filter(tenant=tenant).values_list("code", flat=True))
    return [code for code in codes if code not in known]


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of an audience, how many people that is, and what names nobody.

    ``has_default_channel`` was seen on the way; None: it was not looked at.
    """

    audience: Audience
    total: int
    unknown_contacts: tuple[str, ...] = ()
    unknown_roles: tuple[int, ...] = ()
    has_default_channel: bool | None = None


def keys_of(audience: Audience) -> list[str]:
    """Return the keys of the people it names, for a look at `NAMED`; none where they are many."""
    if len(audience.contacts) > FEW:
        return []
    return sorted({login_key(login) for login in audience.contacts})


def look_up(
    tenant: Tenant, audience: Audience, *, named: Sequence[Recipient] | None = None
) -> Found:
    """Reduce an audience to the names and roles that are known, and count its people.

    A narrow one whose roles are all unknown is nobody. Contacts come back as they are stored.
    ``named``: what a look at `NAMED` for its `keys_of` has just found.
    """
    unknown = unknown_roles(tenant, audience.roles)
    has_default = None
    if len(audience.contacts) <= FEW:
        if named is None:
            named = NAMED.all(tenant.pk, keys_of(audience))
        named = sorted(named, key=attrgetter("login"))
        logins = {person.login_key: person.login for person in named}
        has_default = named[0].has_default if named else None  # type: ignore[attr-defined]
    else:
        people = Recipient.objects.of(tenant).active().named(audience.contacts)
        logins = dict(people.values_list("login_key", "login"))
    known = replace(
        audience,
        contacts=tuple(logins.values()),
        roles=tuple(code for code in audience.roles if code not in unknown),
    )
    only_names = not (audience.everyone or audience.roles or audience.narrow)
    return Found(
        audience=known,
        total=len(logins) if only_names else known.recipients(tenant).count(),
        unknown_contacts=tuple(
            login for login in audience.contacts if login_key(login) not in logins
        ),
        unknown_roles=tuple(unknown),
        has_default_channel=has_default,
    )


def default_channel(tenant: Tenant) -> Channel | None:
    """The channel for people who have no last used one."""
    return Channel.objects.of(tenant).filter(is_default=True).first()


def has_default_channel(tenant: Tenant) -> bool:
    return Channel.objects.of(tenant).filter(is_default=True).exists()


def kinds_needing_address() -> list[str]:
    return [kind for kind in Kind.values if not connector_for(kind).login_is_address]


@dataclass(frozen=True, slots=True)
class Survey:
    """What an audience comes to: every number is exact. ``reached`` will get the message."""

    total: int
    opted_out: int
    unreachable: int
    sample: tuple[Recipient, ...]

    @property
    def reached(self) -> int:
        return self.total - self.opted_out - self.unreachable


def survey(tenant: Tenant, audience: Audience, channel: Channel | None) -> Survey:
    """Count an audience for one channel, or for each person's last used one (None)."""
    people = _annotated(tenant, audience, channel)
    counts = people.aggregate(
        total=Count("pk"),
        opted_out=Count("pk", filter=Q(is_out=True)),
        unreachable=Count("pk", filter=Q(is_out=False, is_unreachable=True)),
    )
    sample = audience.recipients(tenant).order_by("name", "login")[:5]
    return Survey(**counts, sample=tuple(sample))


def left_out(tenant: Tenant, audience: Audience, channel: Channel | None) -> RecipientQuerySet:
    """Those of the audience who will not get it, with ``is_out`` and ``is_unreachable``."""
    return _annotated(tenant, audience, channel).filter(Q(is_out=True) | Q(is_unreachable=True))


def _annotated(tenant: Tenant, audience: Audience, channel: Channel | None) -> RecipientQuerySet:
    people = audience.recipients(tenant)
    fallback = channel or default_channel(tenant)
    kind = Value(fallback.kind if fallback else "", output_field=CharField())
    via = (
        kind
        if channel
        else Case(When(last_channel__is_active=True, then=F("last_channel__kind")), default=kind)
    )
    people = people.annotate(via=via)
    out = OptOut.objects.filter(
        Q(kind=OuterRef("via")) | Q(kind=EVERY_KIND), recipient=OuterRef("pk")
    )
    address = Address.objects.filter(recipient=OuterRef("pk"), kind=OuterRef("via"))
    return people.annotate(
        is_out=Exists(out),
        is_unreachable=Case(
            When(via="", then=Value(value=True)),
            When(Q(via__in=kinds_needing_address()) & ~Exists(address), then=Value(value=True)),
            default=Value(value=False),
        ),
    )
