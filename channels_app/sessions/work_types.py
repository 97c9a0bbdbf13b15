"""What is done with work types: made, changed, given hours, removed."""

from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models import ProtectedError

from channels_app.models import OpeningHours, WorkType
from project.access.audit import Actor, record
from project.access.models import Tenant


class WorkTypeInUse(Exception):
    """Sessions point at it. The message says so, for people."""


def create_work_type(work_type: WorkType, *, by: Actor) -> None:
    """Store a new work type; a new default takes the old one's place."""
    with transaction.atomic():
        _make_room_for_default(work_type)
        work_type.save(force_insert=True)
        details = {"code": work_type.code, "default": work_type.is_default}
        record(by, "worktype.add", tenant=work_type.tenant, target=work_type, **details)


def change_work_type(work_type: WorkType, *, by: Actor, changed: Sequence[str] = ()) -> None:
    """Store what was changed; ``changed`` names the fields, for the audit trail."""
    with transaction.atomic():
        _make_room_for_default(work_type)
        work_type.save()
        fields = sorted(changed)
        record(by, "worktype.change", tenant=work_type.tenant, target=work_type, fields=fields)


def set_hours(
    work_type: WorkType,
    *,
    by: Actor,
    kept: Iterable[OpeningHours] = (),
    removed: Iterable[OpeningHours] = (),
) -> None:
    """Store new and changed opening hours, remove others; the audit trail gets the whole week."""
    kept, removed = list(kept), list(removed)
    if not kept and not removed:
        return
    with transaction.atomic():
        for hours in removed:
            hours.delete()
        for hours in kept:
            hours.work_type = work_type
            hours.save()
        week = [str(hours) for hours in OpeningHours.objects.filter(work_type=work_type)]
        record(by, "worktype.hours", tenant=work_type.tenant, target=work_type, hours=week)


def delete_work_type(work_type: WorkType, *, by: Actor) -> None:
    """Remove a work type that no session was about. Raises WorkTypeInUse."""
    if why := why_it_stays(work_type):
        raise WorkTypeInUse(why)
    try:
        with transaction.atomic():
            record(by, "worktype.delete", tenant=work_type.tenant, target=work_type)
            work_type.delete()
    except ProtectedError as error:
        raise WorkTypeInUse("A session is about it.") from error


def why_it_stays(work_type: WorkType) -> str:
    """Say why a work type can't be removed; empty when it can.

    Asked before the ORM is: it would read all sessions to name them.
    """
    return "Sessions were about it, and they are kept." if work_type.sessions.exists() else ""


def _make_room_for_default(work_type: WorkType) -> None:
    """Let the new default take the place of the old one, which the database allows once."""
    if work_type.is_default:
        Tenant.objects.select_for_update(no_key=True).get(pk=work_type.tenant_id)
        others = WorkType.objects.filter(tenant=work_type.tenant_id, is_default=True)
        others.exclude(pk=work_type.pk).update(is_default=False)
