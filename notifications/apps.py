from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = "Notifications"

    def ready(self) -> None:
        from notifications import (
            canned_replies,  # noqa: F401 - tells the console what to answer
            signals,  # noqa: F401 - connects what the lower floor tells us
        )
        from notifications.people import (
            contacts,  # noqa: F401 - tells sessions who writes
            logins,  # noqa: F401 - tells the log who had a login
        )
        from notifications.vendors.luma import client  # noqa: F401 - registers its channel kind
