"""Sessions as auditors read them: the list, and a session's page."""

from django.contrib import admin

from channels_app.admin.console import ConsolePages
from channels_app.models import Session


@admin.register(Session)
class SessionAdmin(ConsolePages):
    pass
