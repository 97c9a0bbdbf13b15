"""The public halves of a channel's signing keys, for whoever checks its callbacks."""

from uuid import UUID

from django.http import Http404, HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from channels_app.models import Channel
from channels_app.secrets import SecretsUnreadable
from channels_app.signing_keys import jwks, published_keys

KEPT = 300  # seconds; well below any overlap of a rotation


@require_safe
@cache_control(public=True, max_age=KEPT)
def key_set(request: HttpRequest, public_id: UUID) -> JsonResponse:
    """A JSON Web Key Set (RFC 7517): public keys are public, so nobody needs to sign in."""
    try:
        secrets = Channel.objects.get(public_id=public_id).secrets
    except (Channel.DoesNotExist, SecretsUnreadable) as error:
        raise Http404("No keys here.") from error
    keys = published_keys(secrets, "private_key", timezone.now())
    if not keys:
        raise Http404("No keys here.")
    return JsonResponse(jwks(keys), content_type="application/jwk-set+json")
