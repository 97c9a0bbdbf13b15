"""The audit trail. Service functions call `record`; nothing else writes it."""

from dataclasses import dataclass
from typing import Any, Literal

from django.db.models import Model

from project.access.models import ApiClient, AuditEntry, Tenant, User
from project.storing import store_together


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: a person, a calling system, or the hub itself."""

    kind: Literal["user", "client", "hub"]
    name: str
    id: str = ""
    address: str | None = None

    @classmethod
    def user(cls, user: User, address: str | None = None) -> "Actor":
        return cls("user", user.get_username(), str(user.pk), address)

    @classmethod
    def client(cls, client: ApiClient, address: str | None = None) -> "Actor":
        return cls("client", client.name, str(client.pk), address)

    @classmethod
    def hub(cls, name: str) -> "Actor":
        """Carillon itself; ``name`` says which part, such as "schedule" or "notify command"."""
        return cls("hub", name)


def record(
    by: Actor,
    action: str,
    *,
    tenant: Tenant | None,
    target: Model | None = None,
    **details: Any,
) -> AuditEntry:
    """Write down that ``by`` did ``action``; call it inside the transaction that does it.

    A ``target`` that is not stored yet is stored along with its entry, both or neither.
    ``details`` must be JSON-ready and hold no secret and no message text.
    """
    entry = AuditEntry(
        tenant=tenant,
        actor_kind=by.kind,
        actor_id=by.id,
        actor_name=by.name[:150],
        address=by.address,
        action=action,
        target_kind=target._meta.model_name or "" if target else "",
        target_id=str(target.pk) if target and target.pk else "",
        target_name=str(target)[:254] if target else "",
        details=details,
    )
    if target is not None and target.pk is None:
        store_together(target, entry, link="target_id")
    else:
        entry.save()
    return entry
