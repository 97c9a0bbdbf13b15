from notifications.models.former_login import FormerLogin
from notifications.models.notification import ORIGIN, Notification, Stage
from notifications.models.recipient import Address, OptOut, Recipient, Role
from notifications.models.template import DEFAULT_TEMPLATE, ContentType, Template, TemplateVersion

__all__ = [
    "DEFAULT_TEMPLATE",
    "ORIGIN",
    "Address",
    "ContentType",
    "FormerLogin",
    "Notification",
    "OptOut",
    "Recipient",
    "Role",
    "Stage",
    "Template",
    "TemplateVersion",
]
