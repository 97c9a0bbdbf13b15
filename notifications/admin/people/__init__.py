from notifications.admin.people.recipients import RecipientAdmin
from notifications.admin.people.roles import RoleAdmin

__all__ = ["RecipientAdmin", "RoleAdmin"]
