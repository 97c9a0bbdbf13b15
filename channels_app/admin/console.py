"""The agents' console."""

from channels_app.models import Session
from project.tenant_admin import ReadOnlyAdmin


class ConsolePages(ReadOnlyAdmin[Session]):
    """Where agents answer."""
