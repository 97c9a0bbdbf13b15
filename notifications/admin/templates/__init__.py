from notifications.admin.templates.editor import TemplateAdmin

__all__ = ["TemplateAdmin"]
