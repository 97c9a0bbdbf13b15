"""Files that agents have sent: whoever knows a file's address fetches it, as contacts do."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from channels_app.models import Attachment
from channels_app.sessions.files import PICTURES

DAY = 86_400  # seconds


@require_safe
def attachment(request: HttpRequest, public_id: UUID, name: str) -> HttpResponse:
    """Serve a file so that no browser runs anything of it here. ``name`` is for people's eyes."""
    found = Attachment.objects.filter(public_id=public_id).first()
    if found is None:
        raise Http404("There is no such file.")
    response = HttpResponse(bytes(found.content), content_type=found.content_type)
    as_file = found.content_type not in PICTURES
    response["Content-Disposition"] = content_disposition_header(as_file, found.name) or "inline"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    # It never changes; its address is a secret that goes nowhere else.
    response["Cache-Control"] = f"private, max-age={DAY}, immutable"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response
