"""The demo's credentials: what a script needs to use it, kept for those who ask again.

The database holds passwords and tokens hashed, so the plain ones are kept beside the demo's data
(readable by its owner only) and stay good as long as they open what they should.
"""

import json
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings

from channels_app.chat_links import chat_url
from notifications.demo.world import BY, SYSTEM, usernames
from notifications.models import Recipient
from project.access.models import ApiClient, Tenant, User
from project.access.services import client_for, issue_token


def credentials(tenant: Tenant) -> dict[str, Any]:
    """Return all that `manage.py demo --json` prints."""
    kept = _read()
    passwords = kept.get("passwords", {})
    people = {name: _password(name, passwords) for name in usernames()}
    token = _token(tenant, kept.get("luma_token", ""))
    _write({"passwords": people, "luma_token": token})
    chat = tenant.channels.get(name="Chat")
    webhook = tenant.channels.get(name="Webhook")
    everyone = Recipient.objects.of(tenant).prefetch_related("roles").order_by("pk")
    return {
        "base_url": settings.BASE_URL,
        **{name: {"username": name, "password": people[name]} for name in people},
        "tenant": {
            "name": tenant.name,
            "org_id": tenant.org_id,
            "external_id": str(tenant.external_id),
        },
        "luma": {"api_token": token},
        "recipients": [
            {
                "login": person.login,
                "roles": sorted((role.code for role in person.roles.all()), reverse=True),
                "chat_url": chat_url(chat, person.login),
            }
            for person in everyone
        ],
        "webhook": {
            "channel": webhook.name,
            "url": webhook.setting("url"),
            "secret": webhook.secrets["secret"],
        },
    }


def _password(username: str, kept: dict[str, str]) -> str:
    user = User.objects.get(username=username)
    known = kept.get(username, "")
    if known and user.check_password(known):
        return known
    password = secrets.token_urlsafe(9)
    user.set_password(password)
    user.save(update_fields=["password"])
    return password


def _token(tenant: Tenant, kept: str) -> str:
    client = ApiClient.objects.get(tenant=tenant, name=SYSTEM)
    if kept and client_for(kept) == client:
        return kept
    return issue_token(client, by=BY)[1]


def _path() -> Path:
    return Path(settings.DATA_DIR) / "demo.json"


def _read() -> dict[str, Any]:
    try:
        kept: dict[str, Any] = json.loads(_path().read_text())
    except (OSError, ValueError):
        return {}
    return kept


def _write(values: dict[str, Any]) -> None:
    path = _path()
    path.touch(mode=0o600)
    path.write_text(json.dumps(values, indent=1))
