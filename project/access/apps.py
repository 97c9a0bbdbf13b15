from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccessConfig(AppConfig):
    name = "project.access"
    label = "access"
    verbose_name = "Access"

    def ready(self) -> None:
        from project.access.groups import ensure_groups

        post_migrate.connect(ensure_groups, dispatch_uid="access.groups")
