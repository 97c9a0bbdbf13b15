"""OAuth 2.0 for systems that call (RFC 6749, section 4.4): credentials, and what they open.

django-oauth-toolkit does the protocol. An `ApiClient` has one of its applications, which carries
the client id and the hashed secret; what it may ask for is the client's own scopes.
"""

import secrets
import uuid
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from django.db import transaction
from oauth2_provider.models import AccessToken, Application
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauth2_provider.scopes import BaseScopes
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749 import errors

from project.access.audit import Actor, record
from project.access.models import ApiClient
from project.access.models.client import Scope
from project.access.services import digest

OAUTH_SCOPES = (Scope.SERVER_MESSAGING,)  # the others are opened by API tokens


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a system needs to call; secret and key are shown once."""

    client_id: str
    client_secret: str
    api_key: str


def issue_credentials(client: ApiClient, *, by: Actor) -> Credentials:
    """Make a secret and an API key for the client, and at first its id.

    What was good before ends at once, the access tokens too.
    """
    secret, api_key = secrets.token_urlsafe(48), secrets.token_urlsafe(30)
    with transaction.atomic():
        client = ApiClient.objects.select_for_update(of=("self",)).get(pk=client.pk)
        application = client.application or Application(
            client_id=secrets.token_hex(16),
            name=f"{client.tenant}: {client}"[:255],
            client_type=Application.CLIENT_CONFIDENTIAL,
            authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        )
        application.client_secret = secret
        application.save()
        AccessToken.objects.filter(application=application).delete()
        client.application, client.api_key_digest = application, digest(api_key)
        client.save(update_fields=["application", "api_key_digest"])
        record(by, "credentials.issue", tenant=client.tenant, target=client)
    return Credentials(application.client_id, secret, api_key)


def has_api_key(client: ApiClient, api_key: str) -> bool:
    """Whether this is the client's key (Alvaria's ``x-api-key``)."""
    return compare_digest(client.api_key_digest, digest(api_key))


def client_for_access_token(plain: str, scope: Scope) -> ApiClient | None:
    """Return the client that this access token lets in, with the scope; or None.

    Asked by the token alone: the toolkit's own check would read the body first, and a body that
    can't be read would be told of to somebody who may not come in.
    """
    tokens = AccessToken.objects.select_related("application__api_client__tenant")
    token = tokens.filter(token_checksum=digest(plain)).first()
    if token is None or not token.is_valid([scope]):
        return None
    client: ApiClient | None = getattr(token.application, "api_client", None)
    return client if client and client.is_active and scope in client.scopes else None


def new_access_token(request: Request, refresh_token: bool = False) -> str:
    """As Alvaria's: a UUID, of 122 random bits."""
    return str(uuid.uuid4())


class ClientScopes(BaseScopes):  # type: ignore[misc]
    """A system may ask for what its ApiClient may do; without asking it gets all of that."""

    def get_all_scopes(self) -> dict[str, str]:
        return {scope.value: str(scope.label) for scope in OAUTH_SCOPES}

    def get_available_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        client = getattr(application, "api_client", None)
        return [scope.value for scope in OAUTH_SCOPES if client and scope in client.scopes]

    get_default_scopes = get_available_scopes


class ClientValidator(OAuth2Validator):  # type: ignore[misc]
    """Lets systems in that are active, for their own organisation."""

    def _load_application(self, client_id: str | None, request: Request) -> Any:
        # PostgreSQL refuses to look for it: no name has a NUL.
        return None if "\0" in (client_id or "") else super()._load_application(client_id, request)

    def authenticate_client(self, request: Request, *args: Any, **kwargs: Any) -> bool:
        if not super().authenticate_client(request, *args, **kwargs):
            return False
        client = getattr(request.client, "api_client", None)
        if client is None or not client.is_active:
            return False
        # Alvaria's "realm". A client belongs to one organisation, so it may be left out.
        realm = getattr(request, "realm", None)
        if realm and realm != client.tenant.org_id:
            raise errors.UnauthorizedClientError(
                description="The realm is not this client's organisation.", request=request
            )
        return True
