"""Who has a login or had it: the delivery log asks, also about the renamed and the deleted."""

from typing import Any

from django.db.models.signals import pre_delete
from django.dispatch import receiver

from channels_app.log.people import finds_people
from notifications.models import FormerLogin, Recipient
from project.access.models import Tenant


@finds_people
def ids_of_login(tenant: Tenant, login: str) -> list[int]:
    """The ids of whoever has this login, in any case, or had it as it is written."""
    have = Recipient.objects.of(tenant).named([login]).order_by().values_list("pk")
    had = FormerLogin.objects.filter(tenant=tenant, login=login).values_list("recipient_id")
    return [pk for (pk,) in have.union(had)]


def keep_login(person: Recipient) -> None:
    """Note the login that a person is about to lose.

    ``person`` is as the database has it, locked, and the caller's transaction is the one in which
    the login goes. That holds messages under way too: a row that an expansion adds later, having
    read the person before, carries this login and this id.
    """
    former = FormerLogin(tenant_id=person.tenant_id, login=person.login, recipient_id=person.pk)
    FormerLogin.objects.bulk_create([former], ignore_conflicts=True)


@receiver(pre_delete, sender=Recipient, dispatch_uid="notifications.keep_login")
def keep_login_of_deleted(instance: Recipient, **_: Any) -> None:
    """Whichever way a person is deleted, Django says so for each, in the same transaction."""
    found = Recipient.objects.select_for_update(of=("self",)).filter(pk=instance.pk).first()
    if found is not None:
        keep_login(found)
