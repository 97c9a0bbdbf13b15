from project.access.admin import audit, clients, tenants, users

__all__ = ["audit", "clients", "tenants", "users"]
