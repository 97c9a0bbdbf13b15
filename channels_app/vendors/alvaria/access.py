"""Who calls: an OAuth 2.0 access token, the organisation in the path, the API key."""

from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from channels_app.vendors.alvaria.wire import Refused, error
from project.access.authentication import BearerAuthentication, client_of
from project.access.models import ApiClient
from project.access.models.client import Scope
from project.access.oauth import client_for_access_token, has_api_key


class AccessTokenAuthentication(BearerAuthentication):
    """``Authorization: Bearer`` with an access token: ``request.auth`` becomes the ApiClient."""

    def client_for(self, token: str) -> ApiClient | None:
        return client_for_access_token(token, Scope.SERVER_MESSAGING)


class MayMessage(BasePermission):
    """Lets in whose client calls for its own organisation, with its own key.

    The document knows no 403: who may not is not let in (401), who names a foreign organisation
    is told that there is none (404), as for one that does not exist.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.auth, ApiClient):
            raise NotAuthenticated
        client = client_of(request)
        if view.kwargs["org_id"] != client.tenant.org_id:
            words = "There is no such organization."
            raise Refused(error("notFound", words, scope="path"), status=404)
        api_key = request.META.get("HTTP_X_API_KEY")
        if not api_key:
            raise Refused(error("required", "The header x-api-key is missing.", scope="header"))
        if not has_api_key(client, api_key):
            raise NotAuthenticated
        return True
