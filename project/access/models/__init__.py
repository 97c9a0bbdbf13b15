from project.access.models.audit import AuditEntry
from project.access.models.client import ApiClient, ApiToken
from project.access.models.tenant import Tenant
from project.access.models.user import User

__all__ = ["ApiClient", "ApiToken", "AuditEntry", "Tenant", "User"]
