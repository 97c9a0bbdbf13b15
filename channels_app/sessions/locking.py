"""A session's row is locked by whoever changes anything of it."""

from django.db import connection

from channels_app.models import Session

_RELATED = ("tenant", "channel", "work_type__tenant", "agent", "offered_to", "client")


def locked(pk: int) -> Session:
    """Return the session with its row locked until the transaction ends.

    Its messages, events and deliveries are added under this lock, so that their ids rise in the
    order of their commits. Raises Session.DoesNotExist.
    """
    if connection.features.has_select_for_update:
        # By itself, and read afterwards: who waited for a row gets the new one from PostgreSQL,
        # but what is joined to it as it was before, such as no agent beside an agent's id.
        Session.objects.select_for_update().only("pk").get(pk=pk)
    return Session.objects.select_related(*_RELATED).get(pk=pk)
