"""What is done with an API client's tokens in the browser."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from project.access import services
from project.access.current import actor_of, tenant_of
from project.access.forms import IssueForm, RotateForm
from project.access.models import ApiClient, ApiToken
from project.access.oauth import issue_credentials

may_add = permission_required("access.add_apitoken", raise_exception=True)
may_change = permission_required("access.change_apitoken", raise_exception=True)


@require_POST
@may_add
def issue(request: HttpRequest, client_id: int) -> HttpResponse:
    """Make a token and show it, this once."""
    client = _client(request, client_id)
    form = IssueForm(request.POST)
    if not form.is_valid():
        return _refused(request, client)
    ends = timezone.now() + form.lifetime if form.lifetime else None
    token, plain = services.issue_token(client, by=actor_of(request), expires_at=ends)
    return _shown_once(request, client, token, plain, "")


@require_POST
@may_add
@may_change
def rotate(request: HttpRequest, client_id: int) -> HttpResponse:
    """Make a token and show it, this once; those in use end after the overlap."""
    client = _client(request, client_id)
    form = RotateForm(request.POST)
    if not form.is_valid():
        return _refused(request, client)
    ends = timezone.now() + form.lifetime if form.lifetime else None
    token, plain = services.rotate_token(
        client, by=actor_of(request), overlap=form.overlap, expires_at=ends
    )
    until = timezone.localtime(timezone.now() + form.overlap)
    note = (
        f"Those in use before go on until {until:%d %b %Y, %H:%M}."
        if form.overlap
        else "Those in use before have ended."
    )
    return _shown_once(request, client, token, plain, note)


@require_POST
@may_change
def revoke(request: HttpRequest, client_id: int, token_id: int) -> HttpResponse:
    client = _client(request, client_id)
    token = get_object_or_404(client.tokens.all(), pk=token_id)
    services.revoke_token(token, by=actor_of(request))
    messages.success(request, f"Token {token} is revoked. It opens nothing any more.")
    return redirect("admin:access_apiclient_change", client.pk)


@require_POST
@may_add
@may_change
def credentials(request: HttpRequest, client_id: int) -> HttpResponse:
    """Make the system's OAuth credentials and show them, this once; earlier ones end."""
    client = _client(request, client_id)
    if request.POST.get("before", "") != client.credentials_mark:
        # The answer to the first press, loaded anew: what was copied from it stays good.
        messages.warning(request, "They were made already. If you have no copy, make new ones.")
        return redirect("admin:access_apiclient_change", client.pk)
    had_any = bool(client.credentials_mark)
    made = issue_credentials(client, by=actor_of(request))
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "New OAuth credentials",
        "client": client,
        "made": made,
        "had_any": had_any,
        "org_id": client.tenant.org_id,
    }
    return render(request, "admin/access/apiclient/credentials.html", context)


def _client(request: HttpRequest, client_id: int) -> ApiClient:
    try:
        return ApiClient.objects.get(tenant=tenant_of(request), pk=client_id)
    except (ApiClient.DoesNotExist, OverflowError) as error:
        raise Http404("No such API client in this tenant.") from error


def _refused(request: HttpRequest, client: ApiClient) -> HttpResponse:
    messages.error(request, "Choose one of the times offered.")
    return redirect("admin:access_apiclient_change", client.pk)


def _shown_once(
    request: HttpRequest, client: ApiClient, token: ApiToken, plain: str, note: str
) -> HttpResponse:
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "New token",
        "client": client,
        "token": token,
        "plain": plain,
        "note": note,
    }
    return render(request, "admin/access/apiclient/token.html", context)
