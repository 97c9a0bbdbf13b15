from django.db import models

from project.access.models import Tenant


class FormerLogin(models.Model):
    """A login that a person had before being renamed or deleted.

    The delivery log keeps the login under which a message went out and is asked by it, but finds
    a person's rows by the id: this is how it finds those of people who go by it no more. The id
    is a plain number, as there may be nobody of that id now.
    """

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="+", db_index=False)
    login = models.CharField(max_length=254)
    recipient_id = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                name="former_login_once", fields=["tenant", "login", "recipient_id"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.login}: {self.recipient_id}"
