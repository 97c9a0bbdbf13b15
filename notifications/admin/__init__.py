from notifications.admin import notifications, overview, people, templates

__all__ = ["notifications", "overview", "people", "templates"]
