"""The agents' console: where its pages stand in the admin. They are in channels_app/console/."""

from django.urls import URLPattern, path

from channels_app.console import views
from channels_app.models import Session
from project.tenant_admin import ReadOnlyAdmin

_ONE = "console/<uuid:public_id>"
_PAGES = (
    ("console/", views.page, "console"),
    ("console/live/", views.live, "console_live"),
    ("console/presence/", views.presence, "console_presence"),
    (f"{_ONE}/join/", views.join, "console_join"),
    (f"{_ONE}/say/", views.say, "console_say"),
    (f"{_ONE}/transfer/", views.transfer, "console_transfer"),
    (f"{_ONE}/end/", views.end, "console_end"),
    (f"{_ONE}/replies/", views.replies, "console_replies"),
    (f"{_ONE}/earlier/", views.earlier, "console_earlier"),
)


class ConsolePages(ReadOnlyAdmin[Session]):
    """Where agents answer."""

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(route, self.admin_site.admin_view(view), name=f"channels_app_session_{name}")
            for route, view, name in _PAGES
        ]
        return [*own, *super().get_urls()]
