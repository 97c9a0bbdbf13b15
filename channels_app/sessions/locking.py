"""A session's row is locked by whoever changes anything of it."""

from channels_app.models import Session


def locked(pk: int) -> Session:
    """Return the session with its row locked until the transaction ends.

    Its messages, events and deliveries are added under this lock, so that their ids rise in the
    order of their commits. Raises Session.DoesNotExist.
    """
    related = ("tenant", "channel", "work_type__tenant", "agent", "offered_to", "client")
    rows = Session.objects.select_related(*related).select_for_update(of=("self",))
    session: Session = rows.get(pk=pk)
    return session
