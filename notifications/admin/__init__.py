from notifications.admin import notifications, people, templates

__all__ = ["notifications", "people", "templates"]
