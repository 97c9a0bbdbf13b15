"""What is done with access: tokens made, ended and checked."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from project.access.audit import Actor, record
from project.access.models import ApiClient, ApiToken
from project.prepared import Look

# What a call is judged and carried out by; anything else is fetched when it is read.
_OF_TOKEN = ("client", "expires_at", "revoked_at", "last_used_at")
_OF_CLIENT = tuple(
    f"client__{name}" for name in ("tenant", "name", "scopes", "is_active", "rate_limit")
)
_OF_TENANT = tuple(f"client__tenant__{name}" for name in ("name", "time_zone", "locale"))
_TOKENS = Look(
    lambda key: (
        ApiToken.objects.filter(digest=key)
        .select_related("client__tenant")
        .only(*_OF_TOKEN, *_OF_CLIENT, *_OF_TENANT)
        .order_by()
    )
)
# A token's last use is written at most this often, or each call would cost a write.
USE_NOTED_EVERY = timedelta(minutes=1)


def digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def issue_token(
    client: ApiClient, *, by: Actor, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """Make a token. Its plain text is returned here and exists nowhere else."""
    plain = "car_" + secrets.token_urlsafe(32)
    with transaction.atomic():
        token = ApiToken.objects.create(
            client=client, digest=digest(plain), hint=plain[:10], expires_at=expires_at
        )
        record(by, "token.issue", tenant=client.tenant, target=client, token=token.hint)
    return token, plain


def rotate_token(
    client: ApiClient, *, by: Actor, overlap: timedelta, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """Make a new token; those in use end after ``overlap``, or at their own earlier end."""
    ends = timezone.now() + overlap
    with transaction.atomic():
        old = client.tokens.usable(timezone.now())
        old.exclude(expires_at__lt=ends).update(expires_at=ends)
        return issue_token(client, by=by, expires_at=expires_at)


def revoke_token(token: ApiToken, *, by: Actor) -> None:
    """End a token now. Repeating it changes nothing."""
    with transaction.atomic():
        if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
            record(
                by,
                "token.revoke",
                tenant=token.client.tenant,
                target=token.client,
                token=token.hint,
            )


def client_for(plain: str) -> ApiClient | None:
    """Return the client that this token opens the door to, or None."""
    now = timezone.now()
    # Every call of every system comes by here: one plain look-up, judged in Python. Nothing of it
    # is remembered, so that a token which is revoked opens nothing more, on any host.
    token = _TOKENS.first(digest(plain))
    if token is None or not token.is_usable(now):
        return None
    if token.last_used_at is None or token.last_used_at < now - USE_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token.client
