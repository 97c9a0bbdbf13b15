"""Who calls a REST route: a system with one of its API tokens, and whether it may."""

from typing import cast

from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from project.access.audit import Actor
from project.access.models import ApiClient
from project.access.services import client_for


class BearerAuthentication(BaseAuthentication):
    """``Authorization: Bearer <token>`` (RFC 6750, 2.1): ``request.auth`` becomes the ApiClient.

    A system is no User, so ``request.user`` stays anonymous.
    """

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiClient] | None:
        token = _bearer_token(request)
        if token is None:
            return None
        client = self.client_for(token)
        if client is None:
            raise AuthenticationFailed("The token is unknown, expired or revoked.")
        return AnonymousUser(), client

    def client_for(self, token: str) -> ApiClient | None:
        """Return whom the token lets in, or None."""
        return client_for(token)

    def authenticate_header(self, request: Request) -> str:
        """Say what was wrong only to who showed a token (RFC 6750, 3.1)."""
        return "Bearer" if _bearer_token(request) is None else 'Bearer error="invalid_token"'


class HasScope(BasePermission):
    """Lets a system in whose client has the view's ``required_scope``."""

    message = "This token does not open this route."

    def has_permission(self, request: Request, view: APIView) -> bool:
        scope = view.required_scope  # type: ignore[attr-defined]
        return isinstance(request.auth, ApiClient) and scope in request.auth.scopes


def client_of(request: Request) -> ApiClient:
    """Return the calling system; for views that `HasScope` guards."""
    return cast("ApiClient", request.auth)


def calling_actor(request: Request) -> Actor:
    """Return the calling system as an actor for the audit trail."""
    return Actor.client(client_of(request), request.META.get("REMOTE_ADDR") or None)


def _bearer_token(request: Request) -> str | None:
    """Return what follows the scheme, which may be written in any case; None without it."""
    scheme, _, token = get_authorization_header(request).decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
