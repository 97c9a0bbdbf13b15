from django.contrib.admin.apps import AdminConfig


class CarillonAdminConfig(AdminConfig):
    """Django's admin, served by Carillon's own AdminSite."""

    default_site = "project.admin_site.CarillonAdminSite"
