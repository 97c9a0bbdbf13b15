"""The demo's credentials: what a script needs to use it, kept for those who ask again.

The database holds passwords and tokens hashed, so the plain ones are kept beside the demo's data
(readable by its owner only) and stay good as long as they open what they should.
"""

import json
import secrets
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.utils import timezone

from channels_app.chat_links import chat_url
from channels_app.signing_keys import public_pem, signing_key
from notifications.demo.world import BY, CALLBACKS, CUSTOM_SERVER, SYSTEM, WORK_TYPES, usernames
from notifications.models import Recipient
from project.access.models import ApiClient, Tenant, User
from project.access.oauth import has_api_key, issue_credentials
from project.access.services import client_for, issue_token


def credentials(tenant: Tenant) -> dict[str, Any]:
    """Return all that `manage.py demo --json` prints."""
    kept = _read()
    passwords = kept.get("passwords", {})
    people = {name: _password(name, passwords) for name in usernames()}
    token = _token(tenant, kept.get("luma_token", ""))
    custom_server = _custom_server(tenant, kept.get("custom_server", {}))
    _write({"passwords": people, "luma_token": token, "custom_server": custom_server})
    chat = tenant.channels.get(name="Chat")
    webhook = tenant.channels.get(name="Webhook")
    callbacks = tenant.channels.get(name=CALLBACKS)
    signing = signing_key(callbacks.secrets, "private_key", timezone.now())
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
        "alvaria": {
            **custom_server,
            "org_id": tenant.org_id,
            "work_type_id": WORK_TYPES[0][0],
            "public_key_pem": public_pem(signing),
            "callback_url": callbacks.setting("url"),
        },
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


def _custom_server(tenant: Tenant, kept: dict[str, str]) -> dict[str, str]:
    """Return client id, secret and API key, kept ones as long as they are good."""
    client = ApiClient.objects.get(tenant=tenant, name=CUSTOM_SERVER)
    application = client.application
    if (
        application is not None
        and application.client_id == kept.get("client_id")
        and check_password(kept.get("client_secret", ""), application.client_secret)
        and has_api_key(client, kept.get("api_key", ""))
    ):
        return kept
    return asdict(issue_credentials(client, by=BY))


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
