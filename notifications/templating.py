"""What is done with templates: made, reworded by new versions, retired."""

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max

from notifications.models import DEFAULT_TEMPLATE, ContentType, Template, TemplateVersion
from notifications.text.content import ContentError, ContentSource
from notifications.text.variables import VariableError, parse
from project.access.audit import Actor, record
from project.access.models import Tenant

# Two who save at once may draw the same number: the second draws again.
TRIES = 5


class VersionConflict(Exception):
    """The template was reworded since the author looked; ``current`` is what stands there now."""

    def __init__(self, current: TemplateVersion) -> None:
        super().__init__(
            f"{current.created_by} saved version {current.version} while you were writing. "
            "Nothing of yours is saved yet."
        )
        self.current = current


def body_problems(kind: str, body: str) -> list[str]:
    """Say what is wrong with a body, each problem with its place; nothing when it can be sent."""
    try:
        ContentSource.from_text(kind, body)
    except ContentError as error:
        if kind == ContentType.TEXT and "text" in error.errors:
            return _text_problems(body) or error.errors["text"]
        return [
            message if name == "body" else f"{name}: {message}"
            for name, found in error.errors.items()
            for message in found
        ]
    return []


def _text_problems(body: str) -> list[str]:
    """Say what is wrong with the variables of a text, by line and character."""
    try:
        parse(body)
    except VariableError as error:
        return [f"{_place(body, wrong.position)}: {wrong.message}" for wrong in error.problems]
    return []


def _place(body: str, position: int) -> str:
    line = body.count("\n", 0, position) + 1
    column = position - (body.rfind("\n", 0, position) + 1) + 1
    return f"Line {line}, character {column}" if "\n" in body else f"Character {column}"


def clean_body(kind: str, body: str) -> str:
    """Return the body as it is kept. Raises ValidationError with its problems."""
    body = body.replace("\r\n", "\n").replace("\r", "\n")
    if found := body_problems(kind, body):
        raise ValidationError(found)
    return body


def create_template(
    tenant: Tenant, *, name: str, kind: str, body: str, by: Actor, number: int | None = None
) -> Template:
    """Make a template with its first version; without a ``number`` it gets the next from 1.

    Raises ValidationError for a body that can't be sent, IntegrityError for a name or a number
    that is taken.
    """
    body = clean_body(kind, body)
    for left in reversed(range(TRIES)):
        drawn = _next_number(tenant) if number is None else number
        try:
            with transaction.atomic():
                template = Template.objects.create(
                    tenant=tenant, number=drawn, name=name, kind=kind
                )
                _write(template, 1, body, by)
                record(by, "template.add", tenant=tenant, target=template, number=drawn)
                return template
        except IntegrityError:
            drawn_by_another = tenant.templates.filter(number=drawn).exists()
            if not left or number is not None or not drawn_by_another:
                raise
    raise AssertionError("unreachable")


def _next_number(tenant: Tenant) -> int:
    highest = tenant.templates.filter(number__gt=0).aggregate(highest=Max("number"))["highest"]
    return (highest or 0) + 1


def _write(template: Template, version: int, body: str, by: Actor) -> TemplateVersion:
    return TemplateVersion.objects.create(
        template=template, version=version, body=body, created_by=by.name[:150]
    )


def save_version(
    template: Template, *, body: str, by: Actor, based_on: int | None = None
) -> TemplateVersion:
    """Give a template new words; the same words make no version.

    ``based_on`` is the version that the author saw: raises VersionConflict when it is no longer
    the current one. None takes whatever stands there. Raises ValidationError for a body that
    can't be sent.
    """
    body = clean_body(template.kind, body)
    with transaction.atomic():
        # Whoever saves next waits here, and then counts on from this version.
        Template.objects.select_for_update().get(pk=template.pk)
        current = template.current
        check_base(current, body, based_on)
        if body == current.body:
            return current
        version = _write(template, current.version + 1, body, by)
        record(
            by,
            "template.reword",
            tenant=template.tenant,
            target=template,
            version=version.version,
        )
    return version


def check_base(current: TemplateVersion, body: str, based_on: int | None) -> None:
    """Raise VersionConflict when other words than these came after the version ``based_on``."""
    if based_on is not None and based_on != current.version and body != current.body:
        raise VersionConflict(current)


def rename_template(template: Template, name: str, *, by: Actor) -> None:
    """Raises IntegrityError for a name that is taken."""
    with transaction.atomic():
        if Template.objects.filter(pk=template.pk).exclude(name=name).update(name=name):
            template.name = name
            record(by, "template.rename", tenant=template.tenant, target=template)


def retire_template(template: Template, *, by: Actor) -> None:
    """Offer a template no longer; its versions stay for the log.

    Raises ValidationError for the default template, which callers count on.
    """
    if template.number == DEFAULT_TEMPLATE:
        raise ValidationError("The default template can't be retired.")
    _set_retired(template, True, "template.retire", by)


def restore_template(template: Template, *, by: Actor) -> None:
    _set_retired(template, False, "template.restore", by)


def _set_retired(template: Template, retired: bool, action: str, by: Actor) -> None:
    with transaction.atomic():
        rows = Template.objects.filter(pk=template.pk, is_retired=not retired)
        if rows.update(is_retired=retired):
            record(by, action, tenant=template.tenant, target=template)
        template.is_retired = retired


def ensure_default_template(tenant: Tenant) -> Template:
    """Return the tenant's template -1, Luma's text template of that number, making it if needed."""
    known = tenant.templates.filter(number=DEFAULT_TEMPLATE)
    if found := known.first():
        return found
    for name in ("Default text", f"Default text ({DEFAULT_TEMPLATE})"):
        try:
            return create_template(
                tenant,
                name=name,
                kind=ContentType.TEXT,
                body="@request.message",
                by=Actor.hub("default template"),
                number=DEFAULT_TEMPLATE,
            )
        except IntegrityError:  # made just now by someone else, or the name is another's
            if found := known.first():
                return found
    raise ValidationError("Both names of the default template are taken by other templates.")
