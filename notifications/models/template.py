from typing import Any, NoReturn, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from project.access.models import Tenant

DEFAULT_TEMPLATE = -1  # Luma's out-of-the-box text template


class ContentType(models.TextChoices):
    TEXT = "TEXT", _("Text")
    IMAGE = "IMAGE", _("Image")
    CARD = "CARD", _("Card")


class TemplateQuerySet(models.QuerySet["Template"]):
    def of(self, tenant: Tenant) -> Self:
        return self.filter(tenant=tenant)

    def in_use(self) -> Self:
        return self.filter(is_retired=False)


class Template(models.Model):
    """A message kept for reuse. Its words are in its versions; the newest is the current one."""

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="templates")
    number = models.IntegerField(help_text=_("The template_id that systems call it by."))
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=5, choices=ContentType, default=ContentType.TEXT)
    is_retired = models.BooleanField(default=False, help_text=_("Kept for the log, not offered."))
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TemplateQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(name="template_number_once", fields=["tenant", "number"]),
            models.UniqueConstraint(
                name="template_name_once",
                fields=["tenant", "name"],
                violation_error_message=_("A template with this name exists."),
            ),
            models.CheckConstraint(
                name="template_kind_known", condition=Q(kind__in=ContentType.values)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def current(self) -> "TemplateVersion":
        version = self.versions.order_by("-version").first()
        if version is None:
            raise TemplateVersion.DoesNotExist(f"Template {self.number} has no version.")
        return version


class TemplateVersion(models.Model):
    """The words of a template as they stood at one time; never changed once written."""

    template = models.ForeignKey(Template, models.PROTECT, related_name="versions")
    version = models.PositiveIntegerField(help_text=_("From 1."))
    body = models.TextField(help_text=_("TEXT: the text. IMAGE: a URL or JSON. CARD: JSON."))
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["template", "-version"]
        constraints = [
            models.UniqueConstraint(name="template_version_once", fields=["template", "version"])
        ]

    def __str__(self) -> str:
        return f"{self.template.name} · v{self.version}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("A template's version is never changed; save a new one.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("A template's version is never deleted.")
