"""The groups and their rights. Kept in code: `migrate` restores them to what stands here."""

from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS

PEOPLE = ["recipient", "role", "address", "optout"]
TEXTS = ["template", "templateversion"]
MESSAGES = ["notification"]
LOG = ["delivery", "attempt", "chatmessage", "session", "message", "event", "inboundevent"]
ANSWERING = ["worktype", "openinghours", "agent"]
ROUTES = ["channel"]
ACCESS = ["user", "apiclient", "apitoken", "auditentry"]


def _rights(verbs: list[str], models: list[str]) -> set[str]:
    return {f"{verb}_{model}" for verb in verbs for model in models}


VIEW, WRITE = ["view"], ["view", "add", "change", "delete"]

GROUPS: dict[str, set[str]] = {
    "Administrator": _rights(
        WRITE, PEOPLE + TEXTS + ROUTES + ANSWERING + ["user", "apiclient", "apitoken"]
    )
    | _rights(["view", "add", "change"], MESSAGES)
    | _rights(VIEW, [*LOG, "auditentry", "tenant"])
    | {"change_tenant", "send_notification", "approve_notification", "stop_notification"}
    | {"operate_delivery", "import_recipient", "export_recipient", "export_delivery"}
    | {"answer_session"},
    "Composer": _rights(VIEW, PEOPLE + ROUTES + LOG)
    | _rights(["view", "add", "change"], MESSAGES + TEXTS),
    "Approver": _rights(VIEW, PEOPLE + TEXTS + ROUTES + LOG + MESSAGES)
    | {"approve_notification", "stop_notification"},
    "Operator": _rights(VIEW, PEOPLE + TEXTS + ROUTES + ANSWERING + LOG + MESSAGES)
    | {"operate_delivery", "stop_notification", "export_delivery"},
    "Agent": _rights(VIEW, PEOPLE + TEXTS + ANSWERING + ["session", "message", "event"])
    | {"answer_session"},
    "Auditor": _rights(
        VIEW, PEOPLE + TEXTS + ROUTES + ANSWERING + LOG + MESSAGES + ACCESS + ["tenant"]
    )
    | {"export_delivery", "export_recipient"},
}


def ensure_groups(using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Make the groups and give them their rights; rights of apps not yet migrated wait."""
    # `migrate` sends the signal once per app, in order; each call adds what exists by then.
    group_model = apps.get_model("auth", "Group")
    permission_model = apps.get_model("auth", "Permission")
    labels = ["access", "channels_app", "notifications"]
    for name, codenames in GROUPS.items():
        group, _created = group_model.objects.using(using).get_or_create(name=name)
        group.permissions.set(
            permission_model.objects.using(using).filter(
                content_type__app_label__in=labels, codename__in=codenames
            )
        )
